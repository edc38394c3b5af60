"""Records of `quota.state` as rows of the warehouse: counters, and the positions they stand for.

A record that cannot be read is skipped and logged: the topic is the counters' own, and usage must
not wait for it.
"""

import logging
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from operator import itemgetter

import msgspec
import pyarrow as pa

from schemas.decimals import scaled
from schemas.errors import UNREADABLE
from schemas.period import from_ms, parse_instant
from schemas.quota import (
    INTERNAL,
    POSITION_KEY,
    QuotaState,
    Rebuild,
    StatePosition,
    WindowKind,
    is_rebuild,
)
from schemas.vector import OFFSET_BITS, position
from streams.counting.windows import DAY_MS, span_of
from streams.landing.batches import Record
from streams.landing.columns import moments

DIGITS = 6
AMOUNT = pa.decimal128(38, DIGITS)
AMOUNT_LIMIT = 10**38
EPOCH_LIMIT = 1 << 16
VERSION_LIMIT = 1 << 32

_log = logging.getLogger(__name__)
_decode_state = msgspec.json.Decoder(QuotaState).decode
_decode_position = msgspec.json.Decoder(StatePosition).decode
_decode_rebuild = msgspec.json.Decoder(Rebuild).decode
_decode_key = msgspec.json.Decoder(tuple[str, str, WindowKind, str]).decode


@dataclass(slots=True)
class LandedCounters:
    """Counters of a batch, those taken back, rebuilds, and the newest position of each partition.

    With everything but positions goes its partition and its version.
    """

    states: list[tuple[QuotaState, int, int]] = field(default_factory=list)
    ended: list[tuple[QuotaState, int, int]] = field(default_factory=list)
    rebuilds: list[tuple[Rebuild, int, int]] = field(default_factory=list)
    positions: dict[int, tuple[StatePosition, int]] = field(default_factory=dict)


def read_counters(
    records: Iterable[Record], epoch: int, found: LandedCounters | None = None
) -> LandedCounters:
    """Decode records of `quota.state`; each row with its partition and its version.

    The version grows with the epoch and the record's offset. They are added to those found before,
    if given.
    """
    found = LandedCounters() if found is None else found
    for record in records:
        try:
            _add(found, record, position(epoch, record.offset()))
        except UNREADABLE as problem:
            place = f"{record.topic()}[{record.partition()}] at {record.offset()}"
            _log.warning("skipped %s: not a counter (%s)", place, problem)
    return found


def counters_table(found: LandedCounters) -> pa.Table:
    """The counters as columns of `counters`."""
    rows = sorted(found.states + found.ended, key=itemgetter(2))
    states = [state for state, _, _ in rows]
    ended = {version for _, _, version in found.ended}
    limits = [None if s.limit is None else Decimal(s.limit) for s in states]
    return pa.table(
        {
            "tenant": pa.array([s.tenant for s in states], pa.string()),
            "meter": pa.array([s.meter for s in states], pa.string()),
            "window_kind": pa.array([s.window.kind for s in states], pa.string()),
            "window_start": moments([parse_instant(s.window.start) for s in states]),
            "window_end": moments([parse_instant(s.window.end) for s in states]),
            "used": pa.array([Decimal(s.used) for s in states], AMOUNT),
            "limit": pa.array(limits, AMOUNT),
            "decision": pa.array([s.decision for s in states], pa.string()),
            "entitlement_version": pa.array([s.entitlement_version for s in states], pa.uint64()),
            "epoch": pa.array([s.epoch for s in states], pa.uint16()),
            "position": pa.array([s.position for s in states], pa.uint64()),
            "partition": pa.array([partition for _, partition, _ in rows], pa.uint16()),
            "state_offset": pa.array([version for _, _, version in rows], pa.uint64()),
            "ended": pa.array([version in ended for _, _, version in rows], pa.bool_()),
        }
    )


def positions_table(found: LandedCounters) -> pa.Table:
    """The positions as columns of `counter_positions`."""
    rows = sorted(found.positions.items())
    return pa.table(
        {
            "partition": pa.array([partition for partition, _ in rows], pa.uint16()),
            "epoch": pa.array([place.epoch for _, (place, _) in rows], pa.uint16()),
            "position": pa.array([place.usage for _, (place, _) in rows], pa.uint64()),
            "entitlements": pa.array([place.entitlements for _, (place, _) in rows], pa.uint64()),
            "catalog_version": pa.array([p.catalog_version for _, (p, _) in rows], pa.uint32()),
            "state_offset": pa.array([version for _, (_, version) in rows], pa.uint64()),
        }
    )


def rebuilds_table(found: LandedCounters) -> pa.Table:
    """The rebuilds as columns of `rebuilds`; they are to be there before the rows they explain."""
    rebuilds = [rebuild for rebuild, _, _ in found.rebuilds]
    places = [position(rebuild.epoch, rebuild.usage) for rebuild in rebuilds]
    return pa.table(
        {
            "partition": pa.array([partition for _, partition, _ in found.rebuilds], pa.uint16()),
            "meter": pa.array([rebuild.meter for rebuild in rebuilds], pa.string()),
            "tenant": pa.array([rebuild.tenant for rebuild in rebuilds], pa.string()),
            "position": pa.array(places, pa.uint64()),
            "state_offset": pa.array([version for _, _, version in found.rebuilds], pa.uint64()),
        }
    )


def _add(found: LandedCounters, record: Record, version: int) -> None:
    key, value, partition = record.key(), record.value(), record.partition()
    if key is None:
        return
    if key == POSITION_KEY:
        place = _decode_position(value or b"")
        _check_fit(place.epoch, place.usage, place.entitlements)
        if not 0 <= place.catalog_version < VERSION_LIMIT:
            raise ValueError("a version is out of range")
        if place.complete:
            found.positions[partition] = (place, version)
    elif is_rebuild(key) and value is not None:
        rebuild = _decode_rebuild(value)
        _check_fit(rebuild.epoch, rebuild.usage)
        found.rebuilds.append((rebuild, partition, version))
    elif key.startswith(INTERNAL):
        return
    elif value is None:
        if (end := _taken_back(key, record.timestamp()[1])) is not None:
            found.ended.append((end, partition, version))
    else:
        state = _decode_state(value)
        _check(state)
        found.states.append((state, partition, version))


def _taken_back(key: bytes, ended_ms: int) -> QuotaState | None:
    """A counter that ended before its window's time was over; None for one whose time was over."""
    tenant, meter, kind, start = _decode_key(key)
    start_ms = parse_instant(start)
    span = span_of(kind, start_ms, from_ms(start_ms).day)
    if ended_ms >= span.end_ms + DAY_MS:
        return None
    return QuotaState(tenant, meter, span.window, "0", None, "allow", span.window.end, (), 0, 0, 0)


def _check(state: QuotaState) -> None:
    """Raise ValueError now for what the columns could not hold."""
    parse_instant(state.window.start)
    parse_instant(state.window.end)
    if max(abs(scaled(text, DIGITS)) for text in (state.used, state.limit or "0")) >= AMOUNT_LIMIT:
        raise ValueError("an amount is out of range")
    _check_fit(state.epoch, state.position, state.entitlement_version)


def _check_fit(epoch: int, *numbers: int) -> None:
    if not 0 <= epoch < EPOCH_LIMIT or min(numbers) < 0 or max(numbers) >= 1 << OFFSET_BITS:
        raise ValueError("a number is out of range")
