"""`countinghouse items`: charge something once, list what was charged so."""

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
from countinghouse.cli.options import JsonOption
from schemas.errors import InvalidInput
from schemas.extras import OneOffItem
from schemas.period import BillingPeriod

COLUMNS = ("tenant", "key", "month", "description", "amount")

items = typer.Typer(no_args_is_help=True)


@items.command("add")
def add(
    tenant: TenantArgument,
    month: Annotated[str, typer.Argument(help="On the invoice of this month, like 2026-10.")],
    price: Annotated[str, typer.Argument(metavar="AMOUNT", help="In the tenant's currency.")],
    description: Annotated[str, typer.Argument(help="What the invoice's line says.")],
    key: Annotated[
        str,
        typer.Option(help="Names the item, to repeat it safely; default: month, description."),
    ] = "",
    as_script: JsonOption = False,
) -> None:
    """Charge an amount once; the same key again changes nothing, another one charges once more."""
    with ledger_of(tenant) as books:
        currency = books.subscribed(tenant).subscription.currency
        item = OneOffItem(
            tenant=tenant,
            key=key or f"{month} {description}",
            month=_month(month),
            currency=currency,
            amount_minor=amount(price, currency, "AMOUNT"),
            description=_text(description),
        )
        kept = books.add_item(item, who())
    told = {"tenant": tenant, "key": item.key, "month": month, "result": kept}
    charged = money(item.amount_minor, currency)
    say(told, f"{tenant}: {charged} for {month}, {description} ({kept})", as_script=as_script)


@items.command("list")
def list_items(tenant: TenantOption = "", as_script: JsonOption = False) -> None:
    """List one-off items by tenant and month."""
    with ledger_of(tenant) as books:
        found = books.items(tenant or None)
    rows = [
        (it.tenant, it.key, it.month, it.description, money(it.amount_minor, it.currency))
        for it in found
    ]
    table(COLUMNS, rows, as_script=as_script)


def _month(text: str) -> str:
    try:
        return BillingPeriod.month(text).key
    except ValueError as problem:
        raise InvalidInput(f"MONTH: {problem}") from None


def _text(description: str) -> str:
    if not description.strip():
        raise InvalidInput("DESCRIPTION: it is empty; say what the invoice's reader pays for")
    return description.strip()
