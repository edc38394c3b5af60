"""What goes back of a payment that had succeeded: refunds, and disputes by the customer's bank.

Their provider holds the truth, as it does for payments; the invoice stays paid.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

TELLING = ("refund.", "dispute.", "charge.refund", "charge.dispute")
"""How the kind of a webhook begins that tells of a reversal, with any of the providers."""


class ReversalKind(StrEnum):
    """A refund is ours to make; a dispute is made by the customer, and answered at the provider."""

    REFUND = "refund"
    DISPUTE = "dispute"


class ReversalState(StrEnum):
    """States only move forward.

    `pending`: a refund that was asked for, a dispute that is open; the money is not ours meanwhile.
    `settled`: it went back. `undone`: we have it again, or still; the refund failed or was
    canceled, the dispute was won.
    """

    PENDING = "pending"
    SETTLED = "settled"
    UNDONE = "undone"

    def is_after(self, other: "ReversalState") -> bool:
        """Can this state follow the other?"""
        order = list(ReversalState)
        return order.index(self) > order.index(other)


@dataclass(frozen=True, slots=True)
class Reversal:
    """One refund or dispute, as its provider tells it.

    `reference` is the provider's id of it, `payment` that of the payment. The amount is above zero,
    in minor units of the payment's currency; `at_ms` is when the provider made it.
    """

    payment: str
    reference: str
    kind: ReversalKind
    state: ReversalState
    amount_minor: int
    currency: str
    at_ms: int


def reversed_minor(reversals: Iterable[Reversal]) -> int:
    """What went back of a payment, in minor units: all but what was undone."""
    return sum(it.amount_minor for it in reversals if it.state is not ReversalState.UNDONE)
