"""Making the next thing while the one before is used: two cores where there would be one."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

S = TypeVar("S")
T = TypeVar("T")
_END = object()


def made_ahead(items: Iterator[T]) -> Iterator[T]:
    """The same items in their order, one of them made ahead in a thread of its own.

    What making one raises is raised where it would be used.
    """
    with ThreadPoolExecutor(1) as beside:
        coming = beside.submit(next, items, _END)
        while (item := coming.result()) is not _END:
            coming = beside.submit(next, items, _END)
            yield item  # type: ignore[misc]


def side_by_side(work: Callable[[S], T], items: Iterable[S], at_once: int = 2) -> Iterator[T]:
    """What work makes of the items, in their order, of `at_once` of them at the same time.

    What it raises is raised where the result would be used. So many results wait at most, so that
    memory does not grow with the number of items.
    """
    with ThreadPoolExecutor(at_once) as beside:
        coming: deque[Future[T]] = deque()
        for item in items:
            if len(coming) == at_once:
                yield coming.popleft().result()
            coming.append(beside.submit(work, item))
        while coming:
            yield coming.popleft().result()
