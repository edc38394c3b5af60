"""Which code makes a month: the installed release, and a digest of the sources that compute money.

It is recorded with each closing. Documents do not hold it: equal input makes equal bytes by
whatever version.
"""

import hashlib
from collections.abc import Iterable, Iterator
from importlib.metadata import version
from importlib.resources import files
from importlib.resources.abc import Traversable

_COMPUTES = ("pipelines", "schemas")
_SOURCES = (".py", ".sql")
_DIGITS = 12


def sources_digest(folders: Iterable[Traversable]) -> str:
    """SHA-256 over names and bytes of the sources below these folders, cut short."""
    digest = hashlib.sha256()
    for folder in folders:
        for name, source in sorted(_sources(folder, folder.name)):
            content = hashlib.sha256(source).hexdigest()
            digest.update(f"{name} {content}\n".encode())
    return digest.hexdigest()[:_DIGITS]


def _sources(folder: Traversable, name: str) -> Iterator[tuple[str, bytes]]:
    for each in folder.iterdir():
        own = f"{name}/{each.name}"
        if each.is_dir():
            yield from _sources(each, own)
        elif each.name.endswith(_SOURCES):
            yield own, each.read_bytes()


CODE_VERSION = f"{version('countinghouse')}+{sources_digest(map(files, _COMPUTES))}"
"""Like 0.1.0+3f0c…; another one wherever a month might be computed differently."""
