"""The sandbox's cards: how each number ends. Stripe's test numbers, so that people know them."""

from schemas.payment import AttemptState
from schemas.subscription import GOOD_CARD

DECLINES = {
    "4000000000000002": "card_declined",
    "4000000000009995": "insufficient_funds",
    "4000000000000069": "expired_card",
}
"""Numbers that are declined, and why."""


def is_known(card: str) -> bool:
    """Does the sandbox have an outcome for this number?"""
    return card == GOOD_CARD or card in DECLINES


def outcome(card: str) -> tuple[AttemptState, str | None]:
    """How a known card's payment ends, and the reason if it fails."""
    failure = DECLINES.get(card)
    return (AttemptState.FAILED, failure) if failure else (AttemptState.SUCCEEDED, None)


def refusal(card: str) -> str:
    """The reason for which an unknown number is refused at once."""
    known = ", ".join([GOOD_CARD, *DECLINES])
    return f"unknown_card: the sandbox has no card ending in {card[-4:]!r}; it knows {known}"
