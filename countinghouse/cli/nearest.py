"""Errors about names that do not exist name those that come nearest."""

from bisect import bisect
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from difflib import get_close_matches

from schemas.errors import NotFound

FEW = 10_000
"""Comparing letter by letter takes a second for so many; of more, neighbours in order are told."""

TOLD = 3


@contextmanager
def suggesting(wanted: str, existing: Callable[[], Sequence[str]], command: str) -> Iterator[None]:
    """Add to NotFound the nearest of what exists (in order), or the command that lists them all.

    What exists is asked for when the name is not found: it may be a million names.
    """
    try:
        yield
    except NotFound as error:
        near = nearest(wanted, existing())
        remedy = f"did you mean {', '.join(near)}?" if near else f"see `countinghouse {command}`"
        raise NotFound(f"{error}; {remedy}") from None


def nearest(wanted: str, existing: Sequence[str]) -> list[str]:
    """A few existing names that are much like the wanted one."""
    if len(existing) <= FEW:
        return get_close_matches(wanted, existing, n=TOLD)
    place = bisect(existing, wanted)
    return list(existing[max(place - 1, 0) : place + TOLD - 1])
