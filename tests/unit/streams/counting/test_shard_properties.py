"""The shard is a pure function of the log: however it is cut, crashed and replayed."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.catalog import Catalog
from schemas.quota import QuotaExceeded, QuotaState
from streams.counting.crossings import Crossing
from streams.counting.shard import Changes, Shard
from tests.unit.streams.builders import (
    NOON_MS,
    ARecord,
    a_catalog,
    a_record,
    a_shard,
    a_wide_catalog,
    an_event,
    entitled,
    limits,
)

OCTOBER, CHANGE = "2026-10-01T00:00:00Z", "2026-10-05T12:00:00Z"
DAY_MS = 86_400_000
MAX_AGE_MS = 30 * DAY_MS
TIMES = ("2026-10-05T11:59:59Z", CHANGE, "2026-10-31T23:59:59.999Z", "2026-11-01T00:00:00Z")
GRACED = msgspec.structs.replace(limits(40, 5), deny_after_s=3 * 86_400)
ENTITLEMENTS = entitled(1, {OCTOBER: limits(20, 100), CHANGE: GRACED})
CATALOGS = (a_catalog(), a_wide_catalog(), a_wide_catalog(anniversary=True))

events = st.builds(
    an_event,
    st.integers(0, 12),
    st.sampled_from([0, 1, 2.5, 9, -3, "junk"]),
    st.just("acme"),
    st.sampled_from(TIMES),
)


@st.composite
def logs(draw: st.DrawFn) -> list[ARecord]:
    """Records of one tenant: repeats, arrays, junk, holes between offsets, months between."""
    bodies = draw(st.lists(st.lists(events, max_size=3), min_size=1, max_size=40))
    offset, arrived_ms, log = 0, NOON_MS, []
    for body in bodies:
        offset += draw(st.sampled_from([1, 1, 1, 2, 7]))
        arrived_ms += draw(st.sampled_from([0, 1, 1, 1, 10 * DAY_MS]))
        record = a_record(offset, *body) if body else ARecord(offset, 0, b"acme", b"]")
        log.append(record._replace(timestamp=arrived_ms))
    return log


@dataclass
class Written:
    """What is durable: rows by key, the position, crossings in the order of their commits."""

    catalog: Catalog
    rows: dict[bytes, bytes | None] = field(default_factory=dict)
    position: int = 0
    crossings: list[Crossing] = field(default_factory=list)

    def commit(self, changes: Changes) -> None:
        self.rows.update(changes.rows)
        self.position = changes.position
        self.crossings += changes.crossings

    def load(self, window: int) -> Shard:
        shard = a_shard(window, max_age_ms=MAX_AGE_MS, catalog=self.catalog)
        for key, value in self.rows.items():
            shard.restore(key, value)
        shard.start_at(self.position)
        shard.apply_entitlements(ENTITLEMENTS, NOON_MS)
        return shard

    def figures(self) -> dict[bytes, QuotaState]:
        """The rows, without what says up to where and when they were written."""
        states = {k: msgspec.json.decode(v, type=QuotaState) for k, v in self.rows.items() if v}
        return {
            key: msgspec.structs.replace(
                state,
                position=0,
                limit=None,
                decision="allow",
                deny_from=None,
                grace_ends=state.grace_until,
            )
            for key, state in states.items()
        }


def straight(log: Sequence[ARecord], window: int, catalog: Catalog) -> Written:
    written = Written(catalog)
    shard = written.load(window)
    shard.apply(log)
    written.commit(shard.changes())
    return written


@settings(max_examples=300, deadline=None)
@given(
    log=logs(),
    window=st.integers(1, 12),
    acts=st.lists(st.tuples(st.integers(1, 15), st.sampled_from(["write", "crash", "again"]))),
    catalog=st.sampled_from(CATALOGS),
)
def test_cuts_crashes_and_replays_change_nothing(
    log: list[ARecord], window: int, acts: list[tuple[int, str]], catalog: Catalog
) -> None:
    written = Written(catalog)
    shard = written.load(window)
    for count, act in acts:
        fed = [record for record in log if record.offset >= shard.next]
        shard.apply(fed[:count])
        if act == "write":
            written.commit(shard.changes())
        elif act == "crash":  # what was counted since the last write is lost
            shard = written.load(window)
        else:
            shard.apply(log[:count])
    shard.apply(log)
    written.commit(shard.changes())
    once = straight(log, window, catalog)
    assert written.figures() == once.figures()
    assert written.crossings == once.crossings


@given(st.lists(st.tuples(st.sampled_from([2, 3, -2, -3]), st.booleans()), max_size=12))
def test_a_grace_goes_on_over_restarts_above_and_below_its_limit(
    steps: list[tuple[int, bool]],
) -> None:
    log = [a_record(n, an_event(n, value)) for n, (value, _) in enumerate(steps)]
    written = Written(a_catalog())
    shard = written.load(window=50)
    for record, (_, restarts) in zip(log, steps, strict=True):
        shard.apply([record])
        if restarts:
            written.commit(shard.changes())
            shard = written.load(window=50)
            shard.apply(log[: record.offset + 1])
    written.commit(shard.changes())
    assert written.figures() == straight(log, 50, a_catalog()).figures()


@settings(max_examples=150, deadline=None)
@given(log=logs(), window=st.integers(1, 12))
def test_counts_follow_the_rule_of_repeats(log: list[ARecord], window: int) -> None:
    """`used` is the sum over deliveries not seen in their bucket or the one before."""
    shard = a_shard(window)
    seen: dict[str, int] = {}
    counts = {"counted": 0, "duplicates": 0, "rejected": 0}
    admit = shard._admit
    for record in log:
        bucket = record.offset // window
        for element in admit(record.key, record.value, record.timestamp):
            if not hasattr(element, "id"):
                counts["rejected"] += 1
                continue
            last = seen.get(element.id)
            counts["duplicates" if last is not None and last >= bucket - 1 else "counted"] += 1
            seen[element.id] = bucket
    shard.apply(log)
    changes = shard.changes()
    assert {name: getattr(changes, name) for name in counts} == counts


@settings(max_examples=150, deadline=None)
@given(log=logs(), window=st.integers(1, 12))
def test_every_crossing_is_true_and_told_once(log: list[ARecord], window: int) -> None:
    crossings = straight(log, window, a_catalog()).crossings
    marks = [(type(crossing), crossing.id) for crossing in crossings]
    assert len(marks) == len(set(marks))
    for crossing in crossings:
        reached = crossing.limit if isinstance(crossing, QuotaExceeded) else crossing.at
        assert float(crossing.used) >= float(reached)
        assert crossing.entitlement_version == 1
        in_force = {"20"} if crossing.cause.time < CHANGE else {"40"}
        assert {crossing.included} == in_force


CHANGES = [
    entitled(2, {OCTOBER: limits(10, 100)}),
    entitled(3, {OCTOBER: limits(30, 100)}, anchor_day=5),
    entitled(4, {CHANGE: limits(5, 150)}, anchor_day=6),
]


@settings(max_examples=200, deadline=None)
@given(log=logs(), window=st.integers(1, 12), known=st.lists(st.integers(0, 40), max_size=3))
def test_when_changes_become_known_does_not_change_what_is_counted(
    log: list[ARecord], window: int, known: list[int]
) -> None:
    """Rows equal a recount under the last version; each crossing is true for the one it names."""
    catalog = a_wide_catalog(anniversary=True)
    written = Written(catalog)
    shard = written.load(window)
    changes = CHANGES[len(CHANGES) - len(known) :]
    reached = 0
    for upto, change in zip(sorted(known), changes, strict=True):
        shard.apply(log[reached:upto])
        reached = max(reached, upto)
        shard.apply_entitlements(change, NOON_MS)
        written.commit(shard.changes())
    shard.apply(log[reached:])
    written.commit(shard.changes())
    recount = Written(catalog)
    again = recount.load(window)
    for change in changes:
        again.apply_entitlements(change, NOON_MS)
    again.apply(log)
    recount.commit(again.changes())
    used = {key: state.used for key, state in written.figures().items()}
    assert used == {key: state.used for key, state in recount.figures().items()}
    marks = [(type(crossing), crossing.id) for crossing in written.crossings]
    assert len(marks) == len(set(marks))
    pools = {1: {"20", "40"}, 2: {"10"}, 3: {"30"}, 4: {"5"}}
    for crossing in written.crossings:
        if crossing.meter == "tokens" and crossing.window.kind == "billing_period":
            is_default = crossing.included == "100"  # before the timeline's first entry
            assert is_default or crossing.included in pools[crossing.entitlement_version]
