"""An end to stopping: whoever was asked to stop is gone some seconds later, whatever it waits for.

It may wait for a broker that is busy or away, and for members of its group. Nothing rests on how a
process ends: what it leaves unfinished is what `kill -9` leaves, and is read again.
"""

import logging
import os
import threading

STOP_SECONDS = 8
"""Less than the ten seconds that supervisors commonly give."""

_log = logging.getLogger(__name__)


def end_in_time(seconds: float = STOP_SECONDS) -> None:
    """End the process after so many seconds unless it has ended by itself; its exit code is 0."""
    timer = threading.Timer(seconds, _end, (seconds,))
    timer.daemon = True
    timer.start()


def _end(seconds: float) -> None:
    _log.warning("stopping took longer than %g s: what is unfinished is read again", seconds)
    logging.shutdown()
    os._exit(0)
