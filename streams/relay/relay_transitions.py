"""What time and payments do to plans, recorded while it happens and not only when somebody looks.

Nothing waits for it: bills and limits read the timeline, which holds the future as well. It writes
the history, so that a scheduled downgrade or the end of a trial is told on its day.
"""

import time
from collections.abc import Callable

from pipelines.plans.plan_records import record_due_transitions
from schemas.ledger_ports import SubscriptionLedger
from schemas.ports import Clock

EVERY_SECONDS = 1.0
"""How often the ledger is asked; a second is how exact plan changes are."""


class TransitionsDuty:
    """Every transition that is due is in the history."""

    name = "transitions"

    def __init__(
        self,
        ledger: SubscriptionLedger,
        clock: Clock,
        elapsed: Callable[[], float] = time.monotonic,
    ) -> None:
        self._ledger = ledger
        self._clock = clock
        self._elapsed = elapsed
        self._next = elapsed()

    def step(self) -> int:
        """Record what is due, at most once a second; how much. See `relay_duties.Duty`."""
        if self._elapsed() < self._next:
            return 0
        self._next = self._elapsed() + EVERY_SECONDS
        return record_due_transitions(self._ledger, self._clock())
