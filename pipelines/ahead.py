"""Making the next thing while the one before is used: two cores where there would be one."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

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
