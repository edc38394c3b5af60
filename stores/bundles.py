"""Where a month's bundle lies: a folder of Parquet files and texts, and its manifest.

Owns the bytes: equal tables are equal files. What is in them is `pipelines.bundle.bundle_tables`.
"""

import fcntl
import hashlib
import json
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from itertools import chain
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from schemas.bundle import WrittenFile
from schemas.errors import InvalidInput, NotFound

MANIFEST = "manifest.json"
WRITER = f"pyarrow {pa.__version__}, Parquet 2.6, zstd 3"
_ROW_GROUP = 100_000
_BLOCK = 1 << 20

Parts = Iterable[Mapping[str, pa.Table]]
"""Rows by the name of their table, some after the others."""

Describe = Callable[[Mapping[str, WrittenFile]], bytes]


def write_bundle(folder: Path, parts: Parts, texts: Mapping[str, str], describe: Describe) -> None:
    """Write a bundle whole, in place of the one that is there; `describe` makes its manifest.

    Each of the parts has rows for some of the files, after those that they have already. A reader
    sees the old bundle or the new one, never a mixture of files; of two who write it at once one
    waits for the other.

    Raises:
        InvalidInput: the folder holds something else than a bundle, or cannot be written.
    """
    folder = folder.absolute()  # "." has no name beside which the new one could be made
    new = folder.with_name(f".{folder.name}.new")
    try:
        _check_free(folder)
        with _alone(folder):
            shutil.rmtree(new, ignore_errors=True)
            new.mkdir()
            written = _write(new, parts, texts)
            (new / MANIFEST).write_bytes(describe(written))
            _put(new, folder)
    except OSError as error:
        raise InvalidInput(f"the bundle cannot be written to {folder}: {error}") from error


def _check_free(folder: Path) -> None:
    if not folder.exists():
        return
    if not folder.is_dir():
        raise InvalidInput(f"{folder} is a file; name a folder")
    if not (folder / MANIFEST).exists() and any(folder.iterdir()):
        raise InvalidInput(f"{folder} is not empty and holds no bundle; name another folder")


def is_there(folder: Path) -> bool:
    """Is there a bundle, also if its writer was killed when the one before had made way?"""
    return any((it / MANIFEST).exists() for it in (folder, _old(folder)))


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Wait until nobody else writes the folder; who is killed lets go of it."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_name(f".{folder.name}.lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _write(folder: Path, parts: Parts, texts: Mapping[str, str]) -> dict[str, WrittenFile]:
    rows: Counter[str] = Counter()
    with ExitStack() as opened:
        growing: dict[str, _GrowingFile] = {}
        for name, table in chain.from_iterable(part.items() for part in parts):
            file = f"{name}.parquet"
            if file not in growing:
                growing[file] = opened.enter_context(closing(_GrowingFile(folder / file, table)))
            growing[file].add(table)
            rows[file] += table.num_rows
    written = {name: _described(folder / name, count) for name, count in rows.items()}
    for name, text in texts.items():
        path = folder / name
        path.write_text(text)
        written[name] = _described(path)
    return written


def write_parquet(path: Path, tables: Iterable[pa.Table]) -> None:
    """A Parquet file whose bytes depend on the rows, their order and the writer's version alone.

    The tables, one at least, are its parts; where they are cut makes no difference.
    """
    parts = iter(tables)
    first = next(parts)
    with closing(_GrowingFile(path, first)) as file:
        for table in chain([first], parts):
            file.add(table)


class _GrowingFile:
    """A Parquet file that is written in parts, in groups of rows of one size."""

    def __init__(self, path: Path, like: pa.Table) -> None:
        self._rest = like.slice(0, 0)
        self._writer = pq.ParquetWriter(
            path, like.schema, version="2.6", compression="zstd", compression_level=3
        )

    def add(self, table: pa.Table) -> None:
        rest = pa.concat_tables([self._rest, table])
        while rest.num_rows > _ROW_GROUP:
            self._write(rest.slice(0, _ROW_GROUP))
            rest = rest.slice(_ROW_GROUP)
        self._rest = rest

    def close(self) -> None:
        self._write(self._rest)
        self._writer.close()

    def _write(self, rows: pa.Table) -> None:
        self._writer.write_table(rows.combine_chunks(), row_group_size=_ROW_GROUP)


def changed_files(folder: Path) -> list[str]:
    """The files that are not as the manifest says, each with what is wrong; none is a pass.

    Raises:
        NotFound, InvalidInput: see `read_manifest`.
    """
    found = []
    for name, told in sorted(read_manifest(folder)["content"]["files"].items()):
        path = folder / name
        if not path.is_file():
            found.append(f"{name} is missing")
        elif _described(path).sha256 != told["sha256"]:
            found.append(f"{name} was changed")
    return found


def read_manifest(folder: Path) -> dict[str, Any]:
    """The manifest of a bundle.

    Raises:
        NotFound: there is none. InvalidInput: it is one of something else.
    """
    path = folder / MANIFEST
    try:
        found: dict[str, Any] = json.loads(path.read_bytes())
        _ = found["content"]["month"], found["content"]["files"]
    except (FileNotFoundError, NotADirectoryError):
        raise NotFound(f"{folder} is no bundle (no {MANIFEST} in it)") from None
    except (ValueError, LookupError, TypeError):
        raise InvalidInput(f"{path} is not that of a bundle") from None
    return found


def _described(path: Path, rows: int | None = None) -> WrittenFile:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return WrittenFile(digest.hexdigest(), path.stat().st_size, rows)


def _old(folder: Path) -> Path:
    return folder.with_name(f".{folder.name}.old")


def _put(new: Path, folder: Path) -> None:
    old = _old(folder)
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        folder.rename(old)
    new.rename(folder)
    shutil.rmtree(old, ignore_errors=True)
