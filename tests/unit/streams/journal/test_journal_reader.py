"""What a journal is taken over as: each row as it was last written, whatever lies beside it."""

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import pytest
from aiokafka import TopicPartition

from schemas.entitlement import Entitlements
from schemas.quota import POSITION_KEY, QuotaState, StatePosition, Window
from streams.counting.rows import encode
from streams.journal import journal_reader
from streams.journal.journal_reader import JournalReader, Loaded, latest
from tests.unit.streams.builders import (
    a_config,
    a_record,
    a_shard,
    an_event,
    entitled,
    limits,
    rows,
)

OCTOBER = "2026-10-01T00:00:00Z"
DEEP = b'{"x":' + b"[" * 5000 + b"]" * 5000 + b"}"
NO_TEXT = b'{"tenant":"\xff"}'


class Restored:
    """What a shard is given, in order."""

    def __init__(self) -> None:
        self.rows: list[tuple[bytes, bytes | None]] = []

    def restore(self, key: bytes, value: bytes | None) -> None:
        self.rows.append((key, value))

    def start_at(self, counted_to: int) -> int:
        return counted_to


def records(*pairs: tuple[bytes, bytes | None]) -> list[Any]:
    return [SimpleNamespace(key=key, value=value, offset=n) for n, (key, value) in enumerate(pairs)]


def reading(folder: Path, loaded: object, act: Callable[[JournalReader], Any]) -> Any:
    """What becomes of an act of a reader that reads into `loaded`."""

    async def run() -> Any:
        reader = JournalReader(a_config(folder), 0, cast(Loaded, loaded))
        try:
            return act(reader)
        finally:
            await reader.close()

    return asyncio.run(run())


def restored(reader: JournalReader, written: list[Any]) -> StatePosition | None:
    reader._restore(latest(written))
    return reader.position


def at(usage: int) -> bytes:
    return encode(
        StatePosition(epoch=1, usage=usage, entitlements=0, catalog_version=1, complete=True)
    )


def test_of_rows_written_again_and_again_the_last_is_restored(tmp_path: Path) -> None:
    shard = Restored()
    written = records(
        (POSITION_KEY, at(5)),
        (b"a", b"1"),
        (b"b", b"1"),
        (b"a", b"2"),
        (b"b", None),
        (b"\x00other", b"internal"),
        (POSITION_KEY, at(9)),
    )
    position = reading(tmp_path, shard, lambda reader: restored(reader, written))
    assert shard.rows == [(b"a", b"2"), (b"b", None)]
    assert position.usage == 9


class Log:
    """A consumer of `quota.state` that is given two records at a time."""

    def __init__(self, state: TopicPartition, written: list[Any]) -> None:
        self._state, self._written, self._next = state, written, 0

    async def position(self, tp: TopicPartition) -> int:
        return self._next if tp == self._state else 0

    async def getmany(self, timeout_ms: int, max_records: int) -> dict[TopicPartition, list[Any]]:
        start, self._next = self._next, self._next + 2
        return {self._state: self._written[start : self._next]}

    def pause(self, tp: TopicPartition) -> None:
        """Nothing comes any more."""


def test_rows_are_restored_some_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_reader, "RESTORE_ROWS", 3)
    shard = Restored()
    rows = [(b"a", b"1"), (b"b", b"1"), (b"a", b"2"), (b"c", b"1"), (b"b", b"2"), (b"d", b"1")]
    written = records(*rows, (POSITION_KEY, at(9)))

    async def load() -> int:
        reader = JournalReader(a_config(tmp_path), 0, cast(Loaded, shard))
        await reader.close()
        reader._consumer = Log(reader._state, written)
        reader._ends = {reader._state: len(written), reader._entitlements: 0}
        return await reader.load()

    assert asyncio.run(load()) == 9
    # a fetch of two, another: three keys are enough
    assert shard.rows[:3] == [(b"a", b"2"), (b"b", b"1"), (b"c", b"1")]
    assert shard.rows[3:] == [(b"b", b"2"), (b"d", b"1")]


def a_row(start: str) -> bytes:
    """A row of tokens in a window that begins at a time, or at what is none."""
    window = Window("billing_period", start, "2026-11-01T00:00:00Z")
    return encode(
        QuotaState(
            tenant="acme",
            meter="tokens",
            window=window,
            used="5",
            limit=None,
            decision="allow",
            resets_at=window.end,
            announced=(),
            epoch=1,
            position=1,
            entitlement_version=0,
        )
    )


FOREIGN_ROWS = {
    "no JSON": (b"x", b"y"),
    "no text": (b"x", NO_TEXT),
    "nested": (b"x", DEEP),
    "no time": (b"x", a_row("soon")),
    "before all time": (b"x", a_row("0001-01-01T00:00:00+23:59")),
    "the end of no counter": (b"x", None),
    "the end of a counter at no time": (b'["acme","tokens","hour","soon"]', None),
}


@pytest.mark.parametrize("foreign", FOREIGN_ROWS.values(), ids=FOREIGN_ROWS)
def test_a_row_that_is_none_keeps_no_other_from_being_restored(
    tmp_path: Path, foreign: tuple[bytes, bytes | None], caplog: pytest.LogCaptureFixture
) -> None:
    shard = a_shard()
    written = records((b"a", a_row(OCTOBER)), foreign, (POSITION_KEY, at(1)))
    with caplog.at_level(logging.ERROR):
        reading(tmp_path, shard, lambda reader: restored(reader, written))
    shard.apply([a_record(1, an_event(1, 2))])
    assert rows(shard.changes().rows)["acme", "tokens", "2026-10"].used == "7"
    assert "is no counter" in caplog.text


def test_a_position_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    broken = records((POSITION_KEY, b"y"))
    with pytest.raises(msgspec.DecodeError):
        reading(tmp_path, a_shard(), lambda reader: restored(reader, broken))


def of_pool(pool: int, version: int) -> Entitlements:
    return entitled(version, {OCTOBER: limits(pool, 100)})


WITHOUT_ORDER = entitled(9, {OCTOBER: limits(90, 100), "2026-09-01T00:00:00Z": limits(90, 100)})


@pytest.mark.parametrize(
    "log",
    [
        [of_pool(60, version=6), of_pool(50, version=5)],
        [of_pool(50, version=5), of_pool(60, version=6), WITHOUT_ORDER],
        [of_pool(50, version=6), of_pool(60, version=6)],
    ],
)
def test_an_heir_judges_by_the_version_that_its_predecessor_followed(
    tmp_path: Path, log: list[Entitlements]
) -> None:
    followed, loaded = a_shard(), a_shard()
    reading(tmp_path, followed, lambda reader: [reader._apply(each) for each in log])
    reading(tmp_path, loaded, lambda reader: reader._apply_highest(log))
    for shard in (followed, loaded):
        shard.apply([a_record(0, an_event(0, 1))])
        state = rows(shard.changes().rows)["acme", "tokens", "2026-10"]
        assert (state.entitlement_version, state.limit) == (6, "60")


def a_grace(seconds: int) -> bytes:
    """Entitlements with a grace of so many seconds."""
    graced = msgspec.structs.replace(limits(100, 100), deny_after_s=seconds)
    return encode(entitled(3, {OCTOBER: graced}))


FOREIGN_ENTITLEMENTS = {
    "no JSON": b"y",
    "no text": NO_TEXT,
    "nested": encode(entitled(3, {}))[:-1] + b',"x":' + DEEP + b"}",
    "a grace beyond all time": a_grace(10**12),
    "a grace before all time": a_grace(-(10**12)),
}


@pytest.mark.parametrize("foreign", FOREIGN_ENTITLEMENTS.values(), ids=FOREIGN_ENTITLEMENTS)
def test_entitlements_that_are_none_keep_no_others_from_being_read(
    tmp_path: Path, foreign: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    one, other = (entitled(n, {OCTOBER: limits(10)}) for n in (1, 2))
    log = records((b"a", encode(one)), (b"acme", foreign), (b"a", encode(other)))
    with caplog.at_level(logging.ERROR):
        read = reading(tmp_path, a_shard(), lambda reader: reader._read(log))
    assert read == [one, other]
    assert "entitlements of b'acme' cannot be read" in caplog.text
