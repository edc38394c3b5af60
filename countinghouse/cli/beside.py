"""What the commands on coupons, add-ons, items, credits and tenants have in common."""

import getpass
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from countinghouse.cli.nearest import suggesting
from countinghouse.cli.tables import chosen_format, show
from countinghouse.settings import Settings
from schemas.errors import InvalidInput
from schemas.money import MOST_MINOR, Money, parse_minor

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from schemas.subscription import Subscription
    from stores.ledger import Ledger

TenantArgument = Annotated[str, typer.Argument(help="The tenant.")]
TenantOption = Annotated[str, typer.Option("--tenant", help="Only this tenant.")]


@contextmanager
def ledger_of(tenant: str) -> Iterator["Ledger"]:
    """The ledger; a tenant that it does not know is told with those that come nearest."""
    from stores import ledger

    books = ledger.connect(Settings().ledger_url)
    with suggesting(tenant, books.tenant_names, "subscriptions list"):
        if tenant:
            books.subscribed(tenant)
        yield books


def who() -> str:
    """Who gives the command, for the audit log."""
    return getpass.getuser()


def amount(text: str, currency: str, place: str) -> int:
    """Minor units of an amount such as 49.99; more than nothing.

    Raises:
        InvalidInput: it is no such amount; `place` names the argument.
    """
    try:
        minor = parse_minor(text, currency)
    except ValueError as problem:
        raise InvalidInput(f"{place}: {problem}") from None
    if minor <= 0:
        raise InvalidInput(f"{place}: {text} is not more than 0")
    if minor > MOST_MINOR:
        raise InvalidInput(f"{place}: {text} is more than can be billed")
    return minor


def money(amount_minor: int, currency: str) -> str:
    """An amount with its currency, as a person reads it."""
    return str(Money(amount_minor, currency))


def say(told: dict[str, Any], sentence: str, *, as_script: bool) -> None:
    """What a command did: an object for a script, a sentence for a person."""
    typer.echo(json.dumps(told) if as_script else sentence)


def table(columns: "Sequence[str]", rows: "Iterable[Sequence[Any]]", *, as_script: bool) -> None:
    """A list for a person or a script."""
    show(columns, rows, chosen_format(as_json=as_script, as_csv=False))


def offered(name: str, offers: dict[str, Any], what: str) -> None:
    """Raise InvalidInput when the price list does not offer something."""
    if name not in offers:
        there = f"there are {', '.join(offers)}" if offers else "the price list has none"
        raise InvalidInput(f"{name!r} is not {what}; {there}")


def check_priced(name: str, amounts: "Mapping[str, str]", subscription: "Subscription") -> None:
    """Raise InvalidInput when an offer has amounts, but none in the tenant's currency."""
    currency = subscription.currency
    if amounts and currency not in amounts:
        whose = f"{subscription.tenant} is billed in {currency}"
        remedy = f"give it an amount in {currency} in the price list"
        raise InvalidInput(f"{whose}, and {name!r} has amounts in {', '.join(amounts)}; {remedy}")
