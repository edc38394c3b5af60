"""The receiver that is always there: a line in the log for each fact."""

import logging

import msgspec

from schemas.quota import QuotaExceeded, UsageAlert
from streams.notices.facts import Delivered, Fact, Outcome

logger = logging.getLogger(__name__)

_decode = msgspec.json.Decoder(QuotaExceeded | UsageAlert).decode


class LogReceiver:
    """Writes a line for each limit that was reached."""

    name = "log"
    group = "notices"

    async def take(self, fact: Fact) -> Outcome:
        """Write the line."""
        crossing = _decode(fact.value)
        is_hard = isinstance(crossing, QuotaExceeded)
        logger.info(
            "%s reached tenant=%s meter=%s window=%s %s percent=%s at=%s used=%s cause=%s/%s",
            "hard limit" if is_hard else "threshold",
            crossing.tenant,
            crossing.meter,
            crossing.window.kind,
            crossing.window.start,
            crossing.threshold_percent,
            crossing.limit if isinstance(crossing, QuotaExceeded) else crossing.at,
            crossing.used,
            crossing.cause.source,
            crossing.cause.id,
        )
        return Delivered()

    async def close(self) -> None:
        """Nothing is held."""
