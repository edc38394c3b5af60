"""What a replay reads, and what it plans to send twice: the same every time."""

from collections import Counter
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest

from countinghouse.replay_file import ReplaySource, read_source
from countinghouse.replay_plan import (
    RESEND_WITHIN,
    Extras,
    malformed_event,
    plan_replay,
)
from pipelines.admission.admission import Admission
from schemas.errors import InvalidInput
from schemas.event import Event, Rejection
from schemas.partitions import partition_of
from schemas.period import parse_instant
from schemas.quantity import MICRO
from tests.warehouses import CATALOG

HEADER = "tenant,time,model,input_tokens,output_tokens"
GOOD = "a,2026-10-01T00:00:00.250Z,m,2,1"
ADMISSION = Admission(CATALOG, None, None, 65_536)


def a_file(folder: Path, *lines: str) -> Path:
    path = folder / "usage.csv"
    path.write_text("\n".join([HEADER, *lines]) + "\n")
    return path


def admitted(source: ReplaySource) -> list[Event]:
    found = [event for key, value in source.events() for event in ADMISSION.admit(key, value, 0)]
    assert all(isinstance(event, Event) for event in found), found
    return [event for event in found if isinstance(event, Event)]


@pytest.mark.parametrize(
    ("time", "expected"),
    [
        ("2026-10-01T00:00:00.250Z", "2026-10-01T00:00:00.250Z"),
        ("2026-10-01 00:00:00", "2026-10-01T00:00:00Z"),
        ("2026-10-01 00:00:00.123456", "2026-10-01T00:00:00.123Z"),
        ("2026-10-01T02:00:00+02:00", "2026-10-01T00:00:00Z"),
        ("2026-10-01 00:00:00+00", "2026-10-01T00:00:00Z"),
    ],
)
def test_a_row_is_an_event_in_utc(tmp_path: Path, time: str, expected: str) -> None:
    [event] = admitted(read_source(a_file(tmp_path, f"a,{time},m,2,1")))
    assert event.time_ms == parse_instant(expected)
    assert (event.tenant, event.source, event.id) == ("a", "replay:usage.csv", "1")
    assert event.values == ((0, 3 * MICRO), (1, MICRO))


def test_names_are_taken_as_they_are(tmp_path: Path) -> None:
    path = a_file(tmp_path, '"te""n\\ant, ü",2026-10-01T00:00:00Z,"m""x",2,1', GOOD)
    events = admitted(read_source(path))
    assert [event.tenant for event in events] == ['te"n\\ant, ü', "a"]
    assert events[0].model == 'm"x'


def test_equal_rows_are_different_events_in_the_file_s_order(tmp_path: Path) -> None:
    events = admitted(read_source(a_file(tmp_path, *[GOOD] * 25_000), limit=20_001))
    assert [event.id for event in events] == [str(n) for n in range(1, 20_002)]


def test_parquet_is_read_like_csv(tmp_path: Path) -> None:
    path = a_file(tmp_path, GOOD, "b,2026-10-02T00:00:00Z,n,4,5")
    parquet = tmp_path / "usage.parquet"
    with duckdb.connect() as engine:
        engine.read_csv(str(path)).write_parquet(str(parquet))
    ours, theirs = (list(read_source(p).events()) for p in (path, parquet))
    assert [value.replace(b".csv", b".parquet") for _, value in ours] == [v for _, v in theirs]


@pytest.mark.parametrize(
    ("line", "column"),
    [
        (",2026-10-01T00:00:00Z,m,2,1", "tenant"),
        ("a" * 201 + ",2026-10-01T00:00:00Z,m,2,1", "tenant"),
        ("a,yesterday,m,2,1", "time"),
        ("a,,m,2,1", "time"),
        ("a,2026-10-01T00:00:00Z,,2,1", "model"),
        ("a,2026-10-01T00:00:00Z,m,2.5,1", "input_tokens"),
        ("a,2026-10-01T00:00:00Z,m,2,", "output_tokens"),
        ("a,2026-10-01T00:00:00Z,m,2,1e3", "output_tokens"),
    ],
)
def test_a_wrong_row_is_named_with_its_column(tmp_path: Path, line: str, column: str) -> None:
    with pytest.raises(InvalidInput, match=rf"usage\.csv, row 2, column {column}: write"):
        read_source(a_file(tmp_path, GOOD, line))


def test_a_wrong_file_is_one_line_with_a_remedy(tmp_path: Path) -> None:
    missing, text = tmp_path / "none.csv", tmp_path / "usage.txt"
    text.write_text("x")
    columns = tmp_path / "columns.csv"
    columns.write_text("tenant,time\na,b\n")
    broken = tmp_path / "broken.parquet"
    broken.write_bytes(b"not parquet")
    for path, says in (
        (missing, "does not exist"),
        (tmp_path, "is a folder"),
        (text, "neither .parquet nor .csv"),
        (columns, "no column model, input_tokens, output_tokens"),
        (broken, "cannot be read"),
    ):
        with pytest.raises(InvalidInput, match=says) as caught:
            read_source(path)
        assert "\n" not in str(caught.value)


TENANTS = pa.array([f"t{n % 50}" for n in range(60_000)])
EXTRAS = Extras(resend_share=0.02, resend_beyond=100, malformed=5)


def test_a_plan_is_the_same_every_time_and_for_more_rows() -> None:
    whole, part = (plan_replay(t, 4, 1_000, EXTRAS) for t in (TENANTS, TENANTS[:30_000]))
    assert whole == plan_replay(TENANTS, 4, 1_000, EXTRAS)
    assert part.resent == {row for row in whole.resent if row < 30_000}


def test_resends_follow_their_original_within_ten_thousand_events() -> None:
    plan = plan_replay(TENANTS, 4, 1_000, EXTRAS)
    distances = [after - row for after, rows in plan.resends.items() for row in rows]
    assert all(0 <= distance <= RESEND_WITHIN for distance in distances)
    assert len(distances) == pytest.approx(0.02 * len(TENANTS), rel=0.1)


def test_repeats_beyond_the_window_have_two_windows_of_their_partition_behind_them() -> None:
    window = 1_000
    plan = plan_replay(TENANTS, 4, window, EXTRAS)
    assert len(plan.beyond) == 100
    assert not plan.resent & set(plan.beyond)
    partition = [partition_of(tenant.encode(), 4) for tenant in TENANTS.to_pylist()]
    for row in plan.beyond:
        assert Counter(partition[row + 1 :])[partition[row]] > 2 * window


@pytest.mark.parametrize("rows", [0, 1, 3, 500])
def test_a_short_file_has_no_repeats_beyond_the_window(rows: int) -> None:
    plan = plan_replay(TENANTS[:rows], 4, 1_000, EXTRAS)
    assert plan.beyond == ()
    assert all(row < rows for row in [*plan.resends, *plan.malformed])


@pytest.mark.parametrize("number", range(7))
def test_a_malformed_element_is_rejected_and_names_its_source(number: int) -> None:
    key, value = malformed_event(number, "replay:x", b"a")
    assert b'"source":"replay:x"' in value
    [judged] = ADMISSION.admit(key, value, 0)
    assert isinstance(judged, Rejection)
