"""How a tenant's card is written: the sandbox's as its number, Stripe's as `cus_…/pm_…`.

Whether a provider takes it is known when it is charged.
"""

import re
from typing import NamedTuple

_NUMBER = re.compile(r"[0-9]{12,19}")
_SAVED = re.compile(r"(cus_\w+)/(\w+)", re.ASCII)


class SavedMethod(NamedTuple):
    """A payment method that a customer has left with Stripe."""

    customer: str
    method: str


def saved_method(card: str) -> SavedMethod | None:
    """The two parts of `cus_…/pm_…`; None where the card is written otherwise."""
    found = _SAVED.fullmatch(card)
    return SavedMethod(found[1], found[2]) if found else None


def card_fault(card: str) -> str | None:
    """What is wrong with how a card is written, and the remedy; None where nothing is."""
    if _NUMBER.fullmatch(card) or saved_method(card):
        return None
    return f"{card!r} is not a card; write 12 to 19 digits, or cus_…/pm_… for Stripe"
