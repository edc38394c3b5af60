"""Records of `quota.state` as rows of the warehouse: counters, and the positions they stand for.

A record that cannot be read is skipped and logged: the topic is the counters' own, and usage must
not wait for it.
"""

import logging
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal

import msgspec
import pyarrow as pa

from schemas.decimals import scaled
from schemas.period import parse_instant
from schemas.quota import POSITION_KEY, QuotaState, StatePosition
from schemas.vector import position
from streams.batches import Record, moments

DIGITS = 6
AMOUNT = pa.decimal128(38, DIGITS)
INTERNAL = b"\x00"

_log = logging.getLogger(__name__)
_decode_state = msgspec.json.Decoder(QuotaState).decode
_decode_position = msgspec.json.Decoder(StatePosition).decode


@dataclass(slots=True)
class LandedCounters:
    """Counters of a batch, and the newest complete position of each partition in it."""

    states: list[tuple[QuotaState, int, int]] = field(default_factory=list)
    positions: dict[int, tuple[StatePosition, int]] = field(default_factory=dict)


def read_counters(
    records: Iterable[Record], epoch: int, found: LandedCounters | None = None
) -> LandedCounters:
    """Decode records of `quota.state`; each row with its partition and its version.

    The version grows with the epoch and the record's offset. A tombstone (a window whose time is
    over) leaves the warehouse's row as it is. They are added to those found before, if given.
    """
    found = LandedCounters() if found is None else found
    for record in records:
        key, value = record.key(), record.value()
        if key is None or value is None:
            continue
        try:
            _add(found, key, value, record.partition(), position(epoch, record.offset()))
        except (msgspec.MsgspecError, ValueError) as problem:
            place = f"{record.topic()}[{record.partition()}] at {record.offset()}"
            _log.warning("skipped %s: not a counter (%s)", place, problem)
    return found


def counters_table(found: LandedCounters) -> pa.Table:
    """The counters as columns of `counters`."""
    states = [state for state, _, _ in found.states]
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
            "partition": pa.array([partition for _, partition, _ in found.states], pa.uint16()),
            "state_offset": pa.array([version for _, _, version in found.states], pa.uint64()),
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


def _add(found: LandedCounters, key: bytes, value: bytes, partition: int, version: int) -> None:
    if key == POSITION_KEY:
        place = _decode_position(value)
        if place.complete:
            found.positions[partition] = (place, version)
    elif not key.startswith(INTERNAL):
        state = _decode_state(value)
        _check(state)
        found.states.append((state, partition, version))


def _check(state: QuotaState) -> None:
    """Raise ValueError now for what the columns could not hold."""
    parse_instant(state.window.start)
    parse_instant(state.window.end)
    scaled(state.used, DIGITS)
    scaled(state.limit or "0", DIGITS)
