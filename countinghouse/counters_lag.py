"""How far the counters of the local stack are behind, asked of their own web server."""

import json
from urllib.error import URLError
from urllib.request import urlopen

from countinghouse.local.probes import reachable
from countinghouse.settings import Settings

ANSWER_SECONDS = 1


UNKNOWN_LAG_SECONDS = 1.0


def lag_or_far(settings: Settings) -> float:
    """Seconds that the counters are behind; far, while they do not answer."""
    seconds = counters_lag(settings)
    return UNKNOWN_LAG_SECONDS if seconds is None else seconds


def counters_lag(settings: Settings) -> float | None:
    """Seconds that the counters are behind the log; None when they do not answer."""
    address = f"http://{reachable(settings.host)}:{settings.counters_port}/lag"
    try:
        with urlopen(address, timeout=ANSWER_SECONDS) as answer:
            return float(json.load(answer)["lag_seconds"])
    except (URLError, TimeoutError, ConnectionError):
        return None
