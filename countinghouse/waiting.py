"""Waiting for something to become true: polled, with a limit on standing still."""

import time
from collections.abc import Callable

from schemas.errors import BillingError

POLL_SECONDS = 0.05


def wait_until(
    reached: Callable[[], bool],
    what: str,
    *,
    progress: Callable[[], object] | None = None,
    patience_seconds: int = 60,
) -> None:
    """Return when `reached` is true; `progress` is any value that changes while things move.

    Raises:
        BillingError: nothing moved for `patience_seconds`; the text says what was waited for.
    """
    last: object = None
    deadline = time.monotonic() + patience_seconds
    while not reached():
        now = None if progress is None else progress()
        if now != last:
            last, deadline = now, time.monotonic() + patience_seconds
        if time.monotonic() > deadline:
            raise BillingError(
                f"waited {patience_seconds} s for {what} and nothing moved; "
                "see `countinghouse status` and the logs it names"
            )
        time.sleep(POLL_SECONDS)
