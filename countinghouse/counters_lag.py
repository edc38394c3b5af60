"""How far the counters of the local stack are behind, asked of their own web server."""

import json
from urllib.error import URLError
from urllib.request import urlopen

from countinghouse.settings import Settings

ANSWER_SECONDS = 1


def counters_lag(settings: Settings) -> float | None:
    """Seconds that the counters are behind the log; None when they do not answer."""
    address = f"http://127.0.0.1:{settings.counters_port}/lag"
    try:
        with urlopen(address, timeout=ANSWER_SECONDS) as answer:
            return float(json.load(answer)["lag_seconds"])
    except (URLError, TimeoutError, ConnectionError):
        return None
