"""`countinghouse tenants`: where a tenant buys, its tax id, and the card that it pays by."""

from dataclasses import asdict, replace
from typing import Annotated

import typer

from countinghouse.cli.beside import TenantArgument, ledger_of, say, who
from countinghouse.cli.options import JsonOption
from schemas.card import card_fault
from schemas.errors import InvalidInput
from schemas.tax import Buyer, check_country, check_region

tenants = typer.Typer(no_args_is_help=True)

NONE = "none"


@tenants.command("set")
def set_tenant(
    tenant: TenantArgument,
    country: Annotated[str, typer.Option(help="Two letters, such as DE; `none` removes it.")] = "",
    region: Annotated[str, typer.Option(help="CA of US-CA; `none` removes it.")] = "",
    tax_id: Annotated[str, typer.Option(help="Makes it a business; `none` removes it.")] = "",
    as_script: JsonOption = False,
) -> None:
    """Set where a tenant buys, for every month that is not closed; the rest stays as it is."""
    with ledger_of(tenant) as books:
        named = {"country": country, "region": region, "tax_id": tax_id}
        changes = {name: None if text == NONE else text for name, text in named.items() if text}
        buyer = _checked(replace(books.buyer(tenant), **changes))
        changed = books.set_buyer(tenant, buyer, who())
    told = {"tenant": tenant, **asdict(buyer), "changed": changed}
    say(told, f"{tenant}: {_words(buyer)}", as_script=as_script)


@tenants.command("card")
def set_card(
    tenant: TenantArgument,
    card: Annotated[str, typer.Argument(help="12 to 19 digits, or Stripe's cus_…/pm_….")],
    as_script: JsonOption = False,
) -> None:
    """Set the card of a tenant's next charges; `pay` then asks it for what has failed."""
    if fault := card_fault(card):
        raise InvalidInput(f"CARD: {fault}")
    with ledger_of(tenant) as books:
        changed = books.set_card(tenant, card, who())
    shown = f"…{card[-4:]}"
    told = {"tenant": tenant, "card": shown, "changed": changed}
    say(told, f"{tenant}: card {shown}", as_script=as_script)


@tenants.command("show")
def show_tenant(tenant: TenantArgument, as_script: JsonOption = False) -> None:
    """Show where a tenant buys, and its tax id."""
    with ledger_of(tenant) as books:
        buyer = books.buyer(tenant)
    say({"tenant": tenant, **asdict(buyer)}, f"{tenant}: {_words(buyer)}", as_script=as_script)


def _checked(buyer: Buyer) -> Buyer:
    try:
        if buyer.country is not None:
            check_country(buyer.country)
        if buyer.region is not None:
            check_region(buyer.region)
    except ValueError as problem:
        raise InvalidInput(str(problem)) from None
    if buyer.region and not buyer.country:
        raise InvalidInput("--region: a region is of a country; set --country as well")
    return buyer


def _words(buyer: Buyer) -> str:
    place = "-".join(filter(None, (buyer.country, buyer.region))) or "no country"
    return f"{place}, tax id {buyer.tax_id}" if buyer.tax_id else f"{place}, no tax id"
