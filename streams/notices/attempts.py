"""What becomes of an attempt to tell a receiver: done, tried again later, or given up."""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable

from streams.journal.journal_reader import now_ms
from streams.notices.facts import Delivered, Failed, Outcome, Refused
from streams.notices.notice_metrics import NoticeMetrics
from streams.notices.progress import Notice

logger = logging.getLogger(__name__)

WARN_MS = 60_000
FIRST_RETRY_S, LONGEST_RETRY_S = 1, 60

Deliver = Callable[[Notice], Awaitable[None]]


class Attempts:
    """The attempts of one receiver; `deliver` hands a notice out once more."""

    def __init__(
        self, receiver: str, deliver: Deliver, metrics: NoticeMetrics, patience_ms: int
    ) -> None:
        self._receiver = receiver
        self._deliver = deliver
        self._metrics = metrics
        self._patience_ms = patience_ms
        self._warned_ms = 0
        self._retries: set[asyncio.Task[None]] = set()

    def give_back(self) -> None:
        """Nothing is tried again here any more: it is the next owner's."""
        for retry in self._retries:
            retry.cancel()

    def settle(self, notice: Notice, outcome: Outcome) -> None:
        """Act on what a receiver did with a notice."""
        if not notice.progress.is_held:
            return  # its next owner delivers it, perhaps once more
        match outcome:
            case Delivered():
                self._metrics.delivered(self._receiver, notice.fact)
                notice.progress.settle(notice.offset)
            case Refused(why):
                self._give_up(notice, "refused", why)
            case Failed(why, after_s):
                self._fail(notice, why, after_s)

    def _fail(self, notice: Notice, why: str, after_s: int | None) -> None:
        left_s = (notice.fact.announced_ms + self._patience_ms - now_ms()) / 1000
        if left_s <= 0:
            self._give_up(notice, "expired", why)
            return
        rest_s = max(pause_s(notice.failed), after_s or 0)
        self._metrics.retried(self._receiver)
        self._warn(notice, why)
        notice.failed += 1
        retry = asyncio.get_running_loop().create_task(self._again(notice, min(left_s, rest_s)))
        self._retries.add(retry)
        retry.add_done_callback(self._retries.discard)

    def _warn(self, notice: Notice, why: str) -> None:
        """Say it once a minute: a receiver that is down refuses thousands."""
        if now_ms() < self._warned_ms + WARN_MS:
            return
        self._warned_ms = now_ms()
        logger.warning(
            "%s did not take id=%s tenant=%s (%s): it is tried again for %d s, as all others are",
            self._receiver,
            notice.fact.id,
            notice.fact.tenant,
            why,
            self._patience_ms // 1000,
        )

    async def _again(self, notice: Notice, rest_s: float) -> None:
        await asyncio.sleep(rest_s)
        if notice.progress.is_held:
            await self._deliver(notice)

    def _give_up(self, notice: Notice, reason: str, why: str) -> None:
        fact = notice.fact
        logger.error(
            "given up: %s does not get %s id=%s tenant=%s (%s, %s)",
            self._receiver,
            fact.kind,
            fact.id,
            fact.tenant,
            reason,
            why,
        )
        self._metrics.gave_up(self._receiver, reason)
        notice.progress.settle(notice.offset)


def pause_s(failed: int) -> float:
    """Twice as long after each failure, up to a minute; by chance up to half of that less."""
    longest = min(FIRST_RETRY_S << min(failed, 16), LONGEST_RETRY_S)
    return longest * random.uniform(0.5, 1)  # noqa: S311  a jitter, no secret
