"""An end to stopping: whoever was asked to stop is gone some seconds later, whatever it waits for.

It may wait for a broker that is busy or away, and for members of its group. Nothing rests on how a
process ends: what it leaves unfinished is what `kill -9` leaves, and is read again.
"""

import logging
import os
import signal
import socket
import threading

STOP_SECONDS = 8
"""Less than the ten seconds that supervisors commonly give."""

_log = logging.getLogger(__name__)


def asked_to_stop(seconds: float = STOP_SECONDS) -> threading.Event:
    """An event that SIGTERM and SIGINT set, after which the process ends in time.

    Both happen in a thread of their own: the main thread, to which Python gives signals, hears
    none while it waits within a library, as for a broker that is away. Call it from there.
    """
    stop = threading.Event()
    heard, told = socket.socketpair()
    told.setblocking(False)
    signal.set_wakeup_fd(told.detach(), warn_on_full_buffer=False)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)  # the byte that Python writes is enough
    threading.Thread(target=_listen, args=(heard, stop, seconds), daemon=True).start()
    return stop


def _listen(heard: socket.socket, stop: threading.Event, seconds: float) -> None:
    heard.recv(1)
    stop.set()
    end_in_time(seconds)


def end_in_time(seconds: float = STOP_SECONDS) -> None:
    """End the process after so many seconds unless it has ended by itself; its exit code is 0."""
    timer = threading.Timer(seconds, _end, (seconds,))
    timer.daemon = True
    timer.start()


def _end(seconds: float) -> None:
    _log.warning("stopping took longer than %g s: what is unfinished is read again", seconds)
    logging.shutdown()
    os._exit(0)
