"""Changes of entitlements as people make them: plans in the ledger, published by the relay.

Owns which tenants change and to which plan. A change is in force from the running second on.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from random import Random

from countinghouse.chaos.prices import POOLS
from schemas.subscription import GOOD_CARD, PlanSegment, Subscription
from stores.ledger import Ledger

WHO = "chaos"
SINCE_MS = 1_767_225_600_000
"""2026-01-01T00:00Z: plans that do not change have been in force since long before any event."""


class Plans:
    """The subscriptions of a run: some for good, some that change while it runs."""

    def __init__(self, books: Ledger, changing: Sequence[str], seed: int) -> None:
        self._books = books
        self._changing = changing
        self._random = Random(seed)  # noqa: S311  reproducible on purpose
        self._version = books.catalog()[0]
        self.changes = 0

    def subscribe(self, plans: Mapping[str, str]) -> None:
        """Give tenants plans that have been theirs all year."""
        wanted = [
            Subscription(
                f"sub_{tenant}", tenant, "USD", GOOD_CARD, (self._segment(plan, SINCE_MS),)
            )
            for tenant, plan in plans.items()
        ]
        self._books.save_subscriptions(wanted, _now_ms(), WHO)

    def change(self, tenants: int) -> None:
        """Move some of the changing tenants to another plan, now."""
        chosen = self._random.sample(self._changing, min(tenants, len(self._changing)))
        wanted = [found for tenant in chosen if (found := self._changed(tenant)) is not None]
        self._books.save_subscriptions(wanted, _now_ms(), WHO)
        self.changes += len(wanted)

    def unpublished(self) -> int:
        """Tenants whose newest entitlements are not on the topic yet; 1 stands for any number."""
        return len(self._books.behind_entitlements(1))

    def _changed(self, tenant: str) -> Subscription | None:
        """The subscription with a new last plan; None when the last one began this second."""
        stored = self._books.subscribed(tenant).subscription
        *earlier, last = stored.segments
        second_ms = _now_ms() // 1000 * 1000
        if second_ms <= last.starts_ms:
            return None
        plan = self._random.choice([plan for plan in POOLS if plan != last.plan])
        segments = (*earlier, replace(last, ends_ms=second_ms), self._segment(plan, second_ms))
        return replace(stored, segments=segments)

    def _segment(self, plan: str, starts_ms: int) -> PlanSegment:
        return PlanSegment(plan, self._version, starts_ms, None)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
