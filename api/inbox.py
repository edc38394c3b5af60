"""The inbox's worker: acts on stored webhooks in the background, and asks where none came.

Owns when that happens and how it shows; what is done is in `pipelines`.
"""

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass

from starlette.concurrency import run_in_threadpool

from pipelines.payment_webhooks import handle_webhooks
from pipelines.reversals import LOOK_BACK_MS, follow_all
from pipelines.settling import AT_ONCE, settle
from schemas.errors import BillingError
from schemas.ledger_ports import PaymentLedger
from schemas.ports import Clock, PaymentProvider

log = logging.getLogger(__name__)

BATCH = 100


@dataclass(frozen=True, slots=True)
class Rhythm:
    """Seconds between looks into the inbox without a wake-up, and between rounds of asking.

    `look_back` is between rounds of asking what went back of payments. So many attempts are asked
    about at the same time.
    """

    look: int = 1
    ask: int = 30
    look_back: int = 3600
    at_once: int = AT_ONCE


class Inbox:
    """Works through the inbox until it is cancelled; `wake` it when something was stored."""

    def __init__(
        self,
        ledger: PaymentLedger,
        providers: Mapping[str, PaymentProvider],
        clock: Clock,
        rhythm: Rhythm,
    ) -> None:
        self._ledger = ledger
        self._providers = providers
        self._clock = clock
        self._rhythm = rhythm
        self._wake = asyncio.Event()
        self._asked_ms = 0
        self._looked_back_ms = 0
        self.finished = 0
        self.failure: str | None = None

    def wake(self) -> None:
        """Something was stored: look now."""
        self._wake.set()

    async def run(self) -> None:
        """Work for ever. A failure is kept for `/readyz` and tried again."""
        while True:
            self._wake.clear()
            try:
                await run_in_threadpool(self._round)
                self.failure = None
            except BillingError as error:
                self.failure = str(error)
                log.warning("inbox: %s", error)
            except Exception:
                self.failure = "the inbox failed; see the log"
                log.exception("inbox")
            await self._until_wanted()

    def _round(self) -> None:
        while True:
            done = handle_webhooks(self._ledger, self._providers, self._clock, log.warning, BATCH)
            self.finished += done
            if done < BATCH:
                break
        if self._clock() - self._asked_ms >= self._rhythm.ask * 1000:
            self._asked_ms = self._clock()
            self._ask()
        if self._clock() - self._looked_back_ms >= self._rhythm.look_back * 1000:
            self._looked_back_ms = self._clock()
            self._look_back()

    def _look_back(self) -> None:
        """Webhooks of refunds and disputes may be lost, as others: nothing else would ask."""
        since_ms = self._clock() - LOOK_BACK_MS
        follow_all(since_ms, self._ledger, self._providers, self._clock, log.warning)

    def _ask(self) -> None:
        asking = (self._ledger, self._providers, self._clock)
        for unanswered in settle(*asking, at_once=self._rhythm.at_once):
            log.warning("attempt %s: %s", unanswered.attempt.id, unanswered.reason)

    async def _until_wanted(self) -> None:
        try:
            # not wait_for: before Python 3.12 it may lose a cancellation, and shutdown would hang
            async with asyncio.timeout(self._rhythm.look):
                await self._wake.wait()
        except TimeoutError:
            return
