"""Tumbling windows of the recount, written down apart from the product's own: UTC, half-open."""

from datetime import UTC, datetime, timedelta
from functools import lru_cache

HOUR_MS = 3_600_000
_LENGTHS = {"hour": timedelta(hours=1), "day": timedelta(days=1), "week": timedelta(days=7)}


@lru_cache(maxsize=10_000)
def _starts(hour: int) -> dict[str, datetime]:
    start = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(hours=hour)
    day = start.replace(hour=0)
    return {
        "billing_period": day.replace(day=1),
        "hour": start,
        "day": day,
        "week": day - timedelta(days=day.weekday()),
    }


def window_start(kind: str, time_ms: int) -> str:
    """The start of the window that holds an instant, as RFC 3339."""
    return f"{_starts(time_ms // HOUR_MS)[kind]:%Y-%m-%dT%H:%M:%SZ}"


def window_end_ms(kind: str, start: str) -> int:
    """The exclusive end of a window in epoch milliseconds."""
    begin = datetime.fromisoformat(start)
    if kind == "billing_period":
        return instant_ms((begin + timedelta(days=31)).replace(day=1))
    return instant_ms(begin + _LENGTHS[kind])


def instant_ms(moment: datetime | str) -> int:
    """Epoch milliseconds of an instant."""
    aware = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
    return (aware - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)


def instant(time_ms: int) -> str:
    """Epoch milliseconds as RFC 3339, whole seconds without a fraction."""
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=time_ms)
    text = moment.isoformat(timespec="milliseconds" if time_ms % 1000 else "seconds")
    return text.replace("+00:00", "Z")
