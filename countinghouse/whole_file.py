"""A file that is there whole or as it was before, whenever its writer is killed."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from schemas.errors import InvalidInput


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A file beside it to write into, which takes its place at the end; a failure leaves none."""
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        yield unfinished
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


@contextmanager
def writing(path: Path) -> Iterator[Path]:
    """The same for a file that a person has named.

    Raises:
        InvalidInput: it cannot be written there.
    """
    if not path.name:
        raise InvalidInput(f"{path} is a folder; name a file in it")
    try:
        with replacing(path) as unfinished:
            yield unfinished
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error)
        raise InvalidInput(f"{path} cannot be written: {reason}; name another file") from error
