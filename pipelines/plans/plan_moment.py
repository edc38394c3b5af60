"""A subscription at the moment of a command: which instants a command may name, and refusing it.

An error says the state of the subscription, the reason, and what to do instead.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NoReturn

from pipelines.plans.plan_commands import When
from pipelines.plans.plan_timeline import Segments, period_end, run_at
from schemas.catalog import Catalog
from schemas.errors import ChangeRefused, InvalidInput
from schemas.period import format_instant
from schemas.plan_state import ENDED, State, state_at
from schemas.subscription import Interval, PlanSegment, Subscription

Effect = tuple[int, Subscription, str]
"""From when on, what the subscription then is, and what happened in words."""

_IN_WORDS: dict[State | None, str] = {
    None: "has not begun",
    "trialing": "is trialing",
    "active": "is active",
    "paused": "is paused",
    "past_due": "is past due",
    "cancelled": "is cancelled",
    "expired": "has expired",
}


@dataclass(frozen=True, slots=True)
class Moment:
    """What a command is judged by. `now_ms` is the second that has begun; `catalogs` are all."""

    subscription: Subscription
    now_ms: int
    catalogs: Mapping[int, Catalog]
    is_owing: bool = False

    @property
    def state(self) -> State | None:
        """The state now."""
        return state_at(self.subscription, self.now_ms, is_past_due=self.is_owing)

    def refuse(self, reason: str) -> NoReturn:
        """Raise ChangeRefused with the state and the reason, which names the remedy."""
        raise ChangeRefused(f"{self.subscription.tenant} {_IN_WORDS[self.state]}: {reason}")

    def instant(self, when: When) -> int:
        """What "now", "period-end" or an instant stands for."""
        if when == "now":
            return self.now_ms
        if when != "period-end":
            return self.second(when)
        ends_ms = period_end(self.subscription, self.now_ms)
        if ends_ms is None:
            self.refuse("no period of it is running that could end; give an instant")
        return ends_ms

    def second(self, instant_ms: int) -> int:
        """The instant, if it is a whole second."""
        if instant_ms % 1000:
            at = format_instant(instant_ms)
            raise InvalidInput(f"{at} is not a whole second; plans change at seconds")
        return instant_ms

    def in_force(self, at_ms: int) -> PlanSegment:
        """The segment that a command for an instant finds; the past of another life is refused."""
        run = run_at(self.subscription, at_ms)
        segment = self.subscription.segment_at(at_ms)
        is_over = at_ms <= self.now_ms and self.state in (None, *ENDED)
        if segment is None or is_over or self._is_earlier_life(run, at_ms):
            self.refuse(f"no plan of it can change at {format_instant(at_ms)}; use `start`")
        return segment

    def after_beginning(self, at_ms: int) -> PlanSegment:
        """The segment in force, where the instant is not the very beginning of the subscription."""
        segment = self.in_force(at_ms)
        if run_at(self.subscription, at_ms)[0].starts_ms == at_ms:
            at = format_instant(at_ms)
            self.refuse(f"it begins at {at}; choose a later instant, or `withdraw` a start ahead")
        return segment

    def _is_earlier_life(self, run: Segments, at_ms: int) -> bool:
        running = run_at(self.subscription, self.now_ms)
        return at_ms < self.now_ms and bool(running) and run != running

    def version(self, wanted: int | None) -> int:
        """A version of the price list, the newest if none is named."""
        version = max(self.catalogs, default=0) if wanted is None else wanted
        if version not in self.catalogs:
            there_are = ", ".join(map(str, sorted(self.catalogs))) or "none; apply one"
            raise InvalidInput(f"there is no version {version} of the price list: {there_are}")
        return version

    def kept_interval(self, segment: PlanSegment, plan: str, version: int) -> Interval:
        """The interval that goes on with another plan; one not sold by the year is by the month."""
        offered = self.catalogs[version].plans.get(plan)
        is_by_year = segment.interval == "year" and offered and offered.base_fee_yearly
        return "year" if is_by_year else "month"

    def ensure_offered(self, plan: str, version: int, interval: Interval) -> None:
        """The price list has the plan, so paid, in the currency. Raises InvalidInput."""
        catalog, currency = self.catalogs[version], self.subscription.currency
        if plan not in catalog.plans:
            there_are = ", ".join(catalog.plans)
            raise InvalidInput(f"{plan!r} is not in price list {version}; there are {there_are}")
        if not catalog.plans[plan].is_for(self.subscription.tenant):
            remedy = f"choose another, or add {self.subscription.tenant} to its `tenants`"
            raise InvalidInput(
                f"{plan} is for other tenants alone in price list {version}; {remedy}"
            )
        if currency not in catalog.currencies:
            there_are = ", ".join(catalog.currencies)
            raise InvalidInput(f"price list {version} has no {currency}; there are {there_are}")
        if interval == "year" and not catalog.plans[plan].base_fee_yearly:
            remedy = "write its `base_fee_yearly`, or choose the month"
            raise InvalidInput(f"{plan} has no yearly fee in price list {version}; {remedy}")
