"""When a month may be closed, and the cut by which it is: complete by offsets, not by event times.

Waits for nothing; what is not there yet is an exception that says how far it is.
"""

from collections.abc import Mapping

from schemas.closing import CountersCompared
from schemas.errors import PeriodNotComplete, PeriodNotOver
from schemas.period import BillingPeriod, format_instant
from schemas.ports import Log, UsageReader
from schemas.vector import Vector


def ensure_over(month: str, now_ms: int, grace_ms: int) -> None:
    """The month and its grace have passed.

    Raises:
        PeriodNotOver: they have not; until then there is the preview.
    """
    may_close_ms = BillingPeriod.month(month).end_ms + grace_ms
    if now_ms < may_close_ms:
        raise PeriodNotOver(
            f"{month} may be closed from {format_instant(may_close_ms)} on; until then run "
            "`countinghouse invoices upcoming` for a preview"
        )


def cut(ends: Vector, log: Log, usage: UsageReader, *, with_counters: bool = True) -> Vector:
    """The closing vector: how far landing and counters have both come, once past `ends`.

    `ends` are the log's ends when the month was first asked for, remembered: read anew they would
    run ahead for ever while usage comes in. Without counters the cut is `ends` itself. Topics
    before the live one were read to their ends by both, before another followed.

    Raises:
        PeriodNotComplete: "landing: partition 3: 1,204 records behind".
    """
    landed = log.landed()
    _ensure_reached("landing", landed, ends)
    if not with_counters:
        return Vector({**ends, **log.drained()})
    counted = Vector({**usage.counted(), **log.drained()})
    _ensure_reached("counters", counted, ends)
    return Vector({place: min(offset, landed[place]) for place, offset in counted.items()})


def ensure_covered(compared: CountersCompared) -> None:
    """All counters were compared.

    Raises:
        PeriodNotComplete: "landing: partition 3: 1,204 records behind the counters".
    """
    if compared.behind:
        raise _not_complete("landing", compared.behind, " the counters")


def _ensure_reached(reader: str, position: Vector, wanted: Vector) -> None:
    if behind := position.behind(wanted):
        records = {partition: n for (_, partition), n in behind.items()}
        raise _not_complete(reader, records)


def _not_complete(reader: str, behind: Mapping[int, int], whom: str = "") -> PeriodNotComplete:
    places = ", ".join(
        f"partition {partition}: {records:,} record{'s' * (records != 1)} behind{whom}"
        for partition, records in sorted(behind.items())
    )
    return PeriodNotComplete(f"{reader}: {places}; try again when `status` shows no lag")
