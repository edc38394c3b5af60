"""Usage that came after its month was closed: what a price list says of it, and how it is told."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, Self

from pydantic import Field, model_validator

from schemas.invoice import InvoiceLine
from schemas.money import parse_minor
from schemas.price_terms import Closed, Currency, Price, Problem, tell


class LateUsagePolicy(Closed):
    """How late usage is corrected: by lines of the next invoice, or by a note of its own.

    What a closed month's invoice is off by less than `threshold` is carried on, until there is
    more. Amounts are in major units.
    """

    corrected_by: Literal["line", "note"] = "line"
    threshold: dict[Currency, Price] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _thresholds_are_amounts(self) -> Self:
        problems: list[Problem] = []
        for currency, text in self.threshold.items():
            try:
                parse_minor(text, currency)
            except ValueError as problem:
                reason = f"{problem}, the smallest amount of {currency}"
                problems.append((("threshold", currency), reason))
        tell(problems)
        return self

    def threshold_minor(self, currency: str) -> int:
        """The least that is corrected, in minor units; 0 where the price list names nothing."""
        return parse_minor(self.threshold.get(currency, "0"), currency)

    def are_due(self, found: Iterable["Correction"]) -> list["Correction"]:
        """Those of the corrections that are made now; the others are carried on."""
        return [
            it
            for it in found
            if it.carried_on is None and abs(it.amount_minor) >= self.threshold_minor(it.currency)
        ]


@dataclass(frozen=True, slots=True)
class LateRow:
    """A tenant's late events of a meter. Quantities in 1e-6 units, instants in epoch milliseconds.

    `own_events` are those that no meter before it reads too: over a tenant's rows they add up to
    its events. `longest_ms` is the longest that any took from its event time to its arrival.
    """

    tenant: str
    meter: str
    events: int
    own_events: int
    quantity_micro: int
    first_arrived_ms: int
    last_arrived_ms: int
    longest_ms: int


@dataclass(frozen=True, slots=True)
class Correction:
    """By how much the invoice of a closed month is off for a subscription.

    `invoice` is that invoice's number, or its id while it is a draft. `carried_on` is why there are
    no lines, though it is off.
    """

    month: str
    tenant: str
    subscription: str
    currency: str
    invoice: str
    lines: tuple[InvoiceLine, ...]
    carried_on: str | None = None

    @property
    def amount_minor(self) -> int:
        """What the lines add up to: above zero is owed by the tenant, below it is owed to it."""
        return sum(line.amount_minor for line in self.lines)
