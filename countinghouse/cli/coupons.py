"""`countinghouse coupons`: redeem one for a tenant, list what is redeemed."""

from typing import Annotated

import typer

from countinghouse.cli.beside import (
    TenantArgument,
    TenantOption,
    check_priced,
    ledger_of,
    offered,
    say,
    table,
    who,
)
from countinghouse.cli.instants import instant
from countinghouse.cli.options import JsonOption
from schemas.extras import Redemption
from schemas.period import format_instant

COLUMNS = ("tenant", "coupon", "starts_at", "ends_at", "catalog_version")

coupons = typer.Typer(no_args_is_help=True)


@coupons.command("redeem")
def redeem(
    tenant: TenantArgument,
    coupon: Annotated[str, typer.Argument(help="The coupon, as the price list names it.")],
    starts: Annotated[str, typer.Option("--from", help="A time; default: now.")] = "",
    ends: Annotated[str, typer.Option("--until", help="End then, however long it lasts.")] = "",
    as_script: JsonOption = False,
) -> None:
    """Apply a coupon from the current billing period on; a tenant redeems each once.

    A second time changes nothing, so the command may be repeated.
    """
    from countinghouse.init import now_ms
    from pipelines.adjustments.coupons import ends_of

    with ledger_of(tenant) as books:
        version, catalog = books.catalog()
        offered(coupon, dict(catalog.coupons), "a coupon")
        known = [each for each in books.redemptions(tenant) if each.coupon == coupon]
        starts_ms = instant(starts, "--from") if starts else now_ms()
        subscription = books.subscribed(tenant).subscription
        if not known:
            check_priced(coupon, catalog.coupons[coupon].amount, subscription)
        ends_ms = ends_of(catalog.coupons[coupon], subscription, starts_ms)
        if ends:
            ends_ms = instant(ends, "--until")
        wanted = Redemption(tenant, coupon, version, starts_ms, ends_ms)
        # Without times of its own a repeat asks for what is there.
        asked = known[0] if known and not (starts or ends) else wanted
        kept = books.redeem(asked, who())
    told = {"tenant": tenant, "coupon": coupon, "result": kept, "ends_at": _end(asked)}
    until = "for ever" if asked.ends_ms is None else f"until {_end(asked)}"
    say(told, f"{tenant}: {coupon} holds {until} ({kept})", as_script=as_script)


@coupons.command("list")
def list_redemptions(tenant: TenantOption = "", as_script: JsonOption = False) -> None:
    """List redeemed coupons; times are UTC, an end is exclusive."""
    with ledger_of(tenant) as books:
        found = books.redemptions(tenant or None)
    rows = [
        (each.tenant, each.coupon, format_instant(each.starts_ms), _end(each), each.catalog_version)
        for each in found
    ]
    table(COLUMNS, rows, as_script=as_script)


def _end(redeemed: Redemption) -> str | None:
    return None if redeemed.ends_ms is None else format_instant(redeemed.ends_ms)
