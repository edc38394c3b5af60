"""`countinghouse credits`: grant a prepaid credit, list what is left and what expires when."""

from typing import Annotated

import typer

from countinghouse.cli.beside import (
    TenantArgument,
    TenantOption,
    amount,
    ledger_of,
    money,
    say,
    table,
    who,
)
from countinghouse.cli.instants import instant
from countinghouse.cli.options import JsonOption
from schemas.errors import InvalidInput
from schemas.extras import CreditGrant
from schemas.period import format_instant

COLUMNS = (
    "tenant",
    "key",
    "granted",
    "applied",
    "expired",
    "left",
    "in_drafts",
    "granted_at",
    "expires_at",
    "priority",
)

credits = typer.Typer(no_args_is_help=True)


@credits.command("grant")
def grant(
    tenant: TenantArgument,
    value: Annotated[str, typer.Argument(metavar="AMOUNT", help="In the tenant's currency.")],
    key: Annotated[str, typer.Option(help="Names the grant, such as a payment's reference.")],
    granted: Annotated[str, typer.Option("--from", help="Usable from then on; default: now.")] = "",
    expires: Annotated[str, typer.Option("--expires", help="A time; default: never.")] = "",
    priority: Annotated[int, typer.Option(min=0, max=99, help="Lower is used first.")] = 50,
    as_script: JsonOption = False,
) -> None:
    """Grant money that pays invoices before collection does; the same key grants it once.

    What expires first is used first, then the lowest priority, then the oldest.
    """
    from countinghouse.init import now_ms

    with ledger_of(tenant) as books:
        currency = books.subscribed(tenant).subscription.currency
        granted_ms = instant(granted, "--from") if granted else now_ms()
        if not granted:
            balances = books.credit_balances(granted_ms, tenant)
            known = [it.grant for it in balances if it.grant.key == key]
            granted_ms = known[0].granted_ms if known else granted_ms
        wanted = CreditGrant(
            tenant=tenant,
            key=key,
            currency=currency,
            amount_minor=amount(value, currency, "AMOUNT"),
            granted_ms=granted_ms,
            expires_ms=instant(expires, "--expires") if expires else None,
            priority=priority,
        )
        _check(wanted)
        kept = books.grant_credit(wanted, who())
    told = {"tenant": tenant, "key": key, "amount": value, "currency": currency, "result": kept}
    until = f"until {expires}" if expires else "without end"
    paid = money(wanted.amount_minor, currency)
    say(told, f"{tenant}: {paid} {until} as {key} ({kept})", as_script=as_script)


@credits.command("list")
def list_credits(tenant: TenantOption = "", as_script: JsonOption = False) -> None:
    """List grants in the order of their use: granted = applied + expired + left."""
    from countinghouse.init import now_ms

    with ledger_of(tenant) as books:
        found = books.credit_balances(now_ms(), tenant or None)
    rows = [
        (
            *(it.grant.tenant, it.grant.key),
            *(
                money(minor, it.grant.currency)
                for minor in (
                    it.grant.amount_minor,
                    it.applied_minor,
                    it.expired_minor,
                    it.left_minor,
                    it.reserved_minor,
                )
            ),
            format_instant(it.grant.granted_ms),
            None if it.grant.expires_ms is None else format_instant(it.grant.expires_ms),
            it.grant.priority,
        )
        for it in found
    ]
    table(COLUMNS, rows, as_script=as_script)


def _check(wanted: CreditGrant) -> None:
    if wanted.expires_ms is not None and wanted.expires_ms <= wanted.granted_ms:
        raise InvalidInput("--expires: the credit would expire before it can be used")
