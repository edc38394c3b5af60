"""Rows of a journal as they are taken over: each as it was last written."""

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from schemas.quota import POSITION_KEY, StatePosition
from streams.counting.rows import encode
from streams.journal.journal_reader import JournalReader, Loaded
from tests.unit.streams.builders import a_config


class Restored:
    """What a shard is given, in order."""

    def __init__(self) -> None:
        self.rows: list[tuple[bytes, bytes | None]] = []

    def restore(self, key: bytes, value: bytes | None) -> None:
        self.rows.append((key, value))


def records(*rows: tuple[bytes, bytes | None]) -> list[Any]:
    return [SimpleNamespace(key=key, value=value) for key, value in rows]


def at(usage: int) -> bytes:
    return encode(
        StatePosition(epoch=1, usage=usage, entitlements=0, catalog_version=1, complete=True)
    )


def test_of_rows_written_again_and_again_the_last_is_restored(tmp_path: Path) -> None:
    shard = Restored()

    async def act() -> StatePosition | None:
        reader = JournalReader(a_config(tmp_path), 0, cast(Loaded, shard))
        position = reader._restore(
            records(
                (POSITION_KEY, at(5)),
                (b"a", b"1"),
                (b"b", b"1"),
                (b"a", b"2"),
                (b"b", None),
                (b"\x00other", b"internal"),
                (POSITION_KEY, at(9)),
            )
        )
        await reader.close()
        return position

    read = asyncio.run(act())
    assert shard.rows == [(b"a", b"2"), (b"b", None)]
    assert read is not None
    assert read.usage == 9
