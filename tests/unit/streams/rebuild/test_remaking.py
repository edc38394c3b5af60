"""Counters made of usage and the log after it are those that counted every event from the start."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby
from pathlib import Path

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.admission.admission import Admission
from schemas.catalog import Catalog
from schemas.event import Event, Rejection
from schemas.quota import QuotaState, Rebuild, is_rebuild
from schemas.rebuild import Chosen, Part
from streams.counting.shard import Changes
from streams.journal.counters import CountersConfig
from streams.rebuild.remaking import JournalRows, Remaking
from tests.unit.streams.builders import (
    ARecord,
    a_catalog,
    a_config,
    a_record,
    a_wide_catalog,
    an_event,
    entitled,
    limits,
)
from tests.unit.streams.counting.test_shard_properties import logs

HOUR_MS = 3_600_000
OCTOBER = "2026-10-01T00:00:00Z"
CATALOGS = (a_catalog(), a_wide_catalog(), a_wide_catalog(anniversary=True))
ENTITLEMENTS = entitled(3, {OCTOBER: limits(20, 100)})


def config_of(catalog: Catalog) -> CountersConfig:
    return replace(a_config(Path()), catalog=catalog, dedupe_window=1000)


def firsts(log: Sequence[ARecord], catalog: Catalog) -> list[Event]:
    """Each event once, as the warehouse keeps it."""
    admission = Admission(catalog, None, None, 65_536)
    found: dict[tuple[str, str, str], Event] = {}
    for record in log:
        for event in admission.admit(record.key, record.value, record.timestamp):
            if not isinstance(event, Rejection):
                found.setdefault((event.tenant, event.source, event.id), event)
    return list(found.values())


def parts_of(log: Sequence[ARecord], catalog: Catalog) -> list[Part]:
    """What the warehouse makes of the log: values by hour."""
    rows = [
        (event.tenant, catalog.meter_list[index].name, event.time_ms, micro, members)
        for event in firsts(log, catalog)
        for index, micro, members in [
            *((index, micro, ()) for index, micro in event.values),
            *((index, 0, (text,)) for index, text in event.members),
        ]
    ]
    rows.sort(key=lambda row: (row[0], row[1], row[2]))  # stable: the log's order at equal times
    return [
        _part(tenant, meter, hour * HOUR_MS, list(group), catalog)
        for (tenant, meter, hour), group in groupby(
            rows, key=lambda row: (row[0], row[1], row[2] // HOUR_MS)
        )
    ]


def _part(tenant: str, meter: str, began_ms: int, rows: list[tuple], catalog: Catalog) -> Part:  # type: ignore[type-arg]
    values = [row[3] for row in rows]
    aggregation = catalog.meters[meter].aggregation
    micro = {"max": max(values), "latest": values[-1]}.get(aggregation, sum(values))
    members = tuple({text for row in rows for text in row[4]})
    return Part(tenant, meter, began_ms, micro, rows[-1][2], members)


def figures(changes: Changes) -> dict[bytes, tuple[str, str | None, str | None, str, str | None]]:
    """What rows say, the position and the order of what was announced apart."""
    states = {
        key: msgspec.json.decode(value, type=QuotaState)
        for key, value in changes.rows
        if value is not None and not key.startswith(b"\x00")
    }
    return {k: (s.used, s.as_of, s.members, s.decision, s.limit) for k, s in states.items()}


def journal(changes: Changes) -> JournalRows:
    """A journal after these changes."""
    found = JournalRows()
    for key, value in changes.rows:
        found.restore(key, value)
    found.start_at(changes.position)
    found.apply_entitlements(ENTITLEMENTS, 0)
    return found


@settings(max_examples=300)
@given(logs(), st.sampled_from(CATALOGS), st.data())
def test_counters_made_anew_equal_those_that_saw_every_event(
    log: list[ARecord], catalog: Catalog, data: st.DataObject
) -> None:
    config = config_of(catalog)
    straight = config.shard(0)
    straight.apply_entitlements(ENTITLEMENTS, 0)
    straight.apply(log)
    straight.judge_all(2**42)
    truth = straight.changes()
    start = data.draw(st.integers(0, truth.position))
    remaking = Remaking(config, Chosen(frozenset(catalog.meters)), 0)
    before = journal(truth)
    stored = parts_of([record for record in log if record.offset < start], catalog)
    shard = remaking.shard(0, stored, before)
    shard.start_at(start)
    shard.apply(log)
    shard.skip_to(before.counted_to)
    changes = remaking.changes(shard, before, start)
    assert changes.position == truth.position
    assert changes.crossings == []
    assert figures(changes) == figures(truth)


def test_a_wrong_row_is_put_right_and_what_it_hid_is_announced() -> None:
    config = config_of(a_catalog())
    log = [a_record(n, an_event(n, 30)) for n in range(4)]
    found = JournalRows(counted_to=4)
    remaking = Remaking(config, Chosen(frozenset({"tokens"})), 0)
    shard = remaking.shard(0, parts_of(log, config.catalog), found)
    shard.start_at(4)
    changes = remaking.changes(shard, found, 4)
    [(key, value), (_, row)] = changes.rows
    assert is_rebuild(key)
    assert msgspec.json.decode(value or b"", type=Rebuild) == Rebuild("tokens", "", 1, 4)
    assert msgspec.json.decode(row or b"", type=QuotaState).used == "120"
    assert len(changes.crossings) == 4, "80, 100 and 120 per cent, and the hard limit"


def test_what_was_announced_meanwhile_is_not_announced_again() -> None:
    config = config_of(a_catalog())
    log = [a_record(n, an_event(n, 30)) for n in range(4)]
    owner = config.shard(0)
    owner.apply(log)
    found = journal(owner.changes())
    found.published.clear()
    remaking = Remaking(config, Chosen(frozenset({"tokens"})), 0)
    shard = remaking.shard(0, parts_of(log, config.catalog), JournalRows())
    shard.start_at(4)
    changes = remaking.changes(shard, found, 4)
    assert changes.crossings == []
    [_, (_, row)] = changes.rows
    assert len(msgspec.json.decode(row or b"", type=QuotaState).announced) == 4


def test_a_row_that_no_usage_explains_becomes_nothing_and_keeps_what_was_announced() -> None:
    config = config_of(a_catalog())
    owner = config.shard(0)
    owner.apply([a_record(0, an_event(0, 500))])
    found = journal(owner.changes())
    found.published.clear()
    remaking = Remaking(config, Chosen(frozenset({"tokens"})), 0)
    shard = remaking.shard(0, (), found)
    shard.start_at(1)
    [_, (_, row)] = remaking.changes(shard, found, 1).rows
    state = msgspec.json.decode(row or b"", type=QuotaState)
    assert (state.used, state.decision, len(state.announced)) == ("0", "allow", 4)


@pytest.mark.parametrize("corrected", [0, -15])
@pytest.mark.parametrize("is_stored", [False, True])
def test_a_grace_goes_on_where_its_counter_is_made_anew(*, corrected: int, is_stored: bool) -> None:
    config = config_of(a_catalog())
    graced = msgspec.structs.replace(limits(10, 100), deny_after_s=86_400)
    published = entitled(1, {OCTOBER: graced})
    log = [a_record(0, an_event(0, 15)), a_record(1, an_event(1, corrected))]
    owner = config.shard(0)
    owner.apply_entitlements(published, 0)
    owner.apply(log)
    found = journal(owner.changes())
    found.published = {"acme": published}
    remaking = Remaking(config, Chosen(frozenset({"tokens"})), 0)
    shard = remaking.shard(0, parts_of(log, config.catalog) if is_stored else (), found)
    shard.start_at(2)
    [_, (_, row)] = remaking.changes(shard, found, 2).rows
    state = msgspec.json.decode(row or b"", type=QuotaState)
    assert state.grace_until == "2026-10-06T12:00:00Z"


def test_a_period_is_recast_of_days_of_which_one_was_emptied() -> None:
    config = config_of(a_wide_catalog(anniversary=True))
    times = ("2026-10-03T12:00:00Z", "2026-10-05T12:00:00Z")
    log = [a_record(n, an_event(n, n + 5, time=time)) for n, time in enumerate(times)]
    owner = config.shard(0)
    owner.apply(log)
    found = journal(owner.changes())
    found.published.clear()
    remaking = Remaking(config, Chosen(frozenset({"level"})), 0)
    shard = remaking.shard(0, parts_of(log[:1], config.catalog), found)
    shard.start_at(2)
    heir = config.shard(0)
    for key, value in remaking.changes(shard, found, 2).rows:
        if not is_rebuild(key):
            heir.restore(key, value)
    heir.apply_entitlements(entitled(1, {"2026-09-15T00:00:00Z": limits(9)}, anchor_day=15), 0)
    rows = [msgspec.json.decode(v, type=QuotaState) for _, v in heir.changes().rows if v]
    assert {state.used for state in rows if state.window.kind == "billing_period"} == {"5"}


def test_a_row_of_no_window_is_not_taken_over() -> None:
    config = config_of(a_catalog())
    owner = config.shard(0)
    owner.apply([a_record(0, an_event(0, 5))])
    found = journal(owner.changes())
    [key, *_] = found.rows
    window = msgspec.structs.replace(found.rows[key].window, start="soon")
    foreign = msgspec.structs.replace(found.rows[key], window=window)
    with pytest.raises(ValueError, match="soon"):
        found.restore(b"x", msgspec.json.encode(foreign))
    assert b"x" not in found.rows


@pytest.mark.parametrize(("tenants", "named"), [((), [""]), (("acme",), ["acme"])])
def test_a_rebuild_is_recorded_for_what_was_chosen(
    tenants: tuple[str, ...], named: list[str]
) -> None:
    config = config_of(a_catalog())
    log = [a_record(0, an_event(0, 30)), a_record(1, an_event(1, 30, tenant="other"))]
    remaking = Remaking(config, Chosen(frozenset({"calls"}), frozenset(tenants)), 0)
    shard = remaking.shard(0, (), JournalRows())
    shard.start_at(0)
    shard.apply(log)
    changes = remaking.changes(shard, JournalRows(), 0)
    records = [value for key, value in changes.rows if is_rebuild(key)]
    assert [msgspec.json.decode(v or b"", type=Rebuild).tenant for v in records] == named
    assert len(changes.rows) == len(records) + (len(tenants) or 2)
