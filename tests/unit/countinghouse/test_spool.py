"""What a spool keeps, and that it gives each event out once for each time that it was kept."""

from pathlib import Path

import msgspec
import pytest

from countinghouse.spool import Spool, Undelivered


def an_event(number: int) -> Undelivered:
    return Undelivered("a", number, msgspec.Raw(b"{}"))


def taken(spool: Spool) -> list[int]:
    return [event.sent_ms for event in spool.take()]


@pytest.mark.parametrize("path", [None, "spool"])
def test_the_spool_is_bounded_and_gives_everything_back(tmp_path: Path, path: str | None) -> None:
    spool = Spool(tmp_path / path if path else None, 2)
    assert [spool.keep(an_event(n)) for n in range(3)] == [True, True, False]
    assert taken(spool) == [0, 1]
    assert spool.keep(an_event(2))


@pytest.mark.parametrize("path", [None, "spool"])
def test_what_was_given_back_is_not_given_again(tmp_path: Path, path: str | None) -> None:
    spool = Spool(tmp_path / path if path else None, 9)
    spool.keep(an_event(0))
    assert [taken(spool), taken(spool)] == [[0], []]
    spool.keep(an_event(1))
    assert taken(spool) == [1]


def test_while_kafka_is_away_the_file_does_not_grow(tmp_path: Path) -> None:
    path = tmp_path / "spool"
    spool = Spool(path, 9)
    for _ in range(5):
        spool.keep(an_event(0))
        assert taken(spool) == [0]
    assert (tmp_path / "spool.resent").read_bytes().split() == [msgspec.json.encode(an_event(0))]


def test_a_process_that_was_killed_leaves_what_it_had_handed_over(tmp_path: Path) -> None:
    path = tmp_path / "spool"
    killed = Spool(path, 9)
    killed.keep(an_event(0))
    killed.take()
    killed.keep(an_event(1))
    following = Spool(path, 9)
    assert taken(following) == [0, 1]
    following.close()
    assert taken(Spool(path, 9)) == []


def test_a_line_that_a_crash_cut_short_is_skipped(tmp_path: Path) -> None:
    path = tmp_path / "spool"
    Spool(path, 9).keep(an_event(1))
    path.write_bytes(path.read_bytes() + b'{"tenant":"b","se')
    assert taken(Spool(path, 9)) == [1]


def test_nor_does_it_cost_the_line_behind_it(tmp_path: Path) -> None:
    path = tmp_path / "spool"
    (tmp_path / "spool.resent").write_bytes(b'{"tenant":"b","se')
    Spool(path, 9).keep(an_event(1))
    assert [taken(Spool(path, 9)), taken(Spool(path, 9))] == [[1], [1]]


def test_a_spool_on_a_disk_that_refuses_says_so(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "no such folder" / "spool", 9)
    assert not spool.keep(an_event(1))
