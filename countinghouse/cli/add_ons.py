"""`countinghouse add-ons`: book what a tenant has beside its plan, end it, list it."""

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
from schemas.errors import InvalidInput
from schemas.extras import BookedAddOn
from schemas.money import MOST_MINOR
from schemas.offers import AddOn
from schemas.period import format_instant

COLUMNS = ("tenant", "key", "add_on", "quantity", "starts_at", "ends_at", "catalog_version")

add_ons = typer.Typer(no_args_is_help=True)

KeyOption = Annotated[
    str, typer.Option(help="Names the booking, so that it may be repeated; default: the add-on.")
]


@add_ons.command("book")
def book(
    tenant: TenantArgument,
    add_on: Annotated[str, typer.Argument(help="The add-on, as the price list names it.")],
    quantity: Annotated[int, typer.Option(min=1, help="How many.")] = 1,
    starts: Annotated[str, typer.Option("--from", help="A time; default: now.")] = "",
    ends: Annotated[str, typer.Option("--until", help="A time; default: for ever.")] = "",
    key: KeyOption = "",
    as_script: JsonOption = False,
) -> None:
    """Book an add-on; the same key again changes nothing, another one books it once more."""
    from countinghouse.init import now_ms

    with ledger_of(tenant) as books:
        version, catalog = books.catalog()
        offered(add_on, dict(catalog.add_ons), "an add-on")
        name = key or add_on
        known = [each for each in books.add_ons(tenant) if each.key == name]
        if not known:
            whose = books.subscribed(tenant).subscription
            check_priced(add_on, catalog.add_ons[add_on].fee, whose)
            _check_payable(catalog.add_ons[add_on], quantity)
        starts_ms = instant(starts, "--from") if starts else now_ms()
        ends_ms = instant(ends, "--until") if ends else None
        wanted = BookedAddOn(tenant, name, add_on, version, quantity, starts_ms, ends_ms)
        asked = known[0] if known and _is_same(known[0], wanted, bool(starts or ends)) else wanted
        kept = books.book_add_on(asked, who())
    told = {"tenant": tenant, "key": name, "add_on": add_on, "quantity": quantity, "result": kept}
    since = format_instant(asked.starts_ms)
    say(told, f"{tenant}: {quantity} × {add_on} from {since} on ({kept})", as_script=as_script)


@add_ons.command("end")
def end(
    tenant: TenantArgument,
    key: Annotated[str, typer.Argument(help="The booking's key, as `list` shows it.")],
    at: Annotated[str, typer.Option("--at", help="A time; default: now.")] = "",
    as_script: JsonOption = False,
) -> None:
    """End an add-on; a yearly fee that was charged is not taken back."""
    from countinghouse.init import now_ms

    with ledger_of(tenant) as books:
        ended_ms = instant(at, "--at") if at else now_ms()
        changed = books.end_add_on(tenant, key, ended_ms, who())
    told = {"tenant": tenant, "key": key, "ends_at": format_instant(ended_ms), "changed": changed}
    say(told, f"{tenant}: {key} ends at {told['ends_at']}", as_script=as_script)


@add_ons.command("list")
def list_add_ons(tenant: TenantOption = "", as_script: JsonOption = False) -> None:
    """List add-ons; times are UTC, an end is exclusive."""
    with ledger_of(tenant) as books:
        found = books.add_ons(tenant or None)
    rows = [
        (
            *(each.tenant, each.key, each.add_on, each.quantity),
            format_instant(each.starts_ms),
            None if each.ends_ms is None else format_instant(each.ends_ms),
            each.catalog_version,
        )
        for each in found
    ]
    table(COLUMNS, rows, as_script=as_script)


def _check_payable(offer: AddOn, quantity: int) -> None:
    """Raise InvalidInput where so many cost more than a line says."""
    if any(offer.fee_minor(currency) * quantity > MOST_MINOR for currency in offer.fee):
        raise InvalidInput(f"--quantity: {quantity} cost more than can be billed")


def _is_same(known: BookedAddOn, wanted: BookedAddOn, has_times: bool) -> bool:
    """A repeat without times asks for what is there."""
    terms = (known.add_on, known.quantity) == (wanted.add_on, wanted.quantity)
    return terms and not has_times
