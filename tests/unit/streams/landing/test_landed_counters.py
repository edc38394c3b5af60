"""Records of `quota.state` as rows: the newest complete position of a partition, and no junk."""

from decimal import Decimal

import msgspec
import pytest

from schemas.quota import (
    POSITION_KEY,
    QuotaState,
    Rebuild,
    StatePosition,
    rebuild_key,
    state_key,
)
from schemas.vector import position
from streams.landing.landed_counters import (
    counters_table,
    positions_table,
    read_counters,
    rebuilds_table,
)
from tests.unit.streams.landing.test_batches import ARecord
from tests.warehouses import OCTOBER

DEEP = b"[" * 5_000 + b"]" * 5_000
KEY = state_key("a", "tokens", "billing_period", OCTOBER.start)


def a_state(used: str = "1.5", limit: str | None = "100") -> bytes:
    state = QuotaState("a", "tokens", OCTOBER, used, limit, "warn", OCTOBER.end, (), 1, 7, 2)
    return msgspec.json.encode(state)


def a_position(usage: int, *, complete: bool) -> bytes:
    return msgspec.json.encode(StatePosition(1, usage, 4, 3, complete=complete))


def test_a_counter_is_a_row_with_its_version() -> None:
    found = read_counters([ARecord(9, a_state(), KEY)], epoch=2)
    [row] = counters_table(found).to_pylist()
    assert (row["tenant"], row["meter"], row["decision"]) == ("a", "tokens", "warn")
    assert (row["used"], row["limit"]) == (Decimal("1.5"), Decimal(100))
    assert (row["epoch"], row["position"], row["partition"]) == (1, 7, 3)
    assert row["state_offset"] == position(2, 9)


def test_an_unlimited_counter_has_no_limit_and_a_huge_one_is_exact() -> None:
    huge = "123456789012345678901234.000001"
    found = read_counters([ARecord(0, a_state(huge, None), KEY)], 1)
    [row] = counters_table(found).to_pylist()
    assert (row["used"], row["limit"]) == (Decimal(huge), None)


def test_only_the_newest_complete_position_counts() -> None:
    records = [
        ARecord(0, a_position(5, complete=True), POSITION_KEY),
        ARecord(1, a_position(9, complete=True), POSITION_KEY),
        ARecord(2, a_position(12, complete=False), POSITION_KEY),
    ]
    [row] = positions_table(read_counters(records, 1)).to_pylist()
    assert row == {
        "partition": 3,
        "epoch": 1,
        "position": 9,
        "entitlements": 4,
        "catalog_version": 3,
        "state_offset": position(1, 1),
    }


@pytest.mark.parametrize(
    ("key", "value"),
    [
        (KEY, None),
        (None, a_state()),
        (KEY, b"{}"),
        (KEY, b"\xff"),
        (KEY, a_state("not a number")),
        (KEY, a_state("NaN")),
        (KEY, a_state(limit="1e-9")),
        (KEY, a_state(limit="1e39")),
        (KEY, a_state().replace(b'"epoch":1', b'"epoch":65536')),
        (KEY, a_state().replace(b'"position":7', b'"position":-7')),
        (
            KEY,
            a_state().replace(b'"used":', b'"else":' + b"[" * 5_000 + b"]" * 5_000 + b',"used":'),
        ),
        (POSITION_KEY, b"[]"),
        (POSITION_KEY, a_position(1 << 60, complete=True)),
        (b"\x00else", a_state()),
    ],
)
def test_what_is_no_counter_is_skipped(key: bytes | None, value: bytes | None) -> None:
    found = read_counters([ARecord(0, value, key), ARecord(1, a_state(), KEY)], 1)
    assert len(found.states) == 1
    assert counters_table(found).num_rows == 1 + len(found.ended)
    assert positions_table(found).num_rows == 0


def test_a_counter_that_is_taken_back_is_marked_and_one_that_is_over_stays() -> None:
    """The records of these tests arrive in September 2026."""
    over = state_key("a", "tokens", "billing_period", "2026-07-15T00:00:00Z")
    found = read_counters([ARecord(4, None, KEY), ARecord(5, None, over)], 1)
    [row] = counters_table(found).to_pylist()
    assert (row["tenant"], row["meter"], row["ended"]) == ("a", "tokens", True)
    assert row["state_offset"] == position(1, 4)


def test_a_rebuild_is_landed_with_its_cut() -> None:
    rebuild = msgspec.json.encode(Rebuild("tokens", "", 2, 40))
    found = read_counters([ARecord(6, rebuild, rebuild_key("tokens", ""))], 2)
    [row] = rebuilds_table(found).to_pylist()
    assert row == {
        "partition": 3,
        "meter": "tokens",
        "tenant": "",
        "position": position(2, 40),
        "state_offset": position(2, 6),
    }
    assert counters_table(found).num_rows == 0
