"""Counters as rows of `quota.state`, which gates read and counters load again."""

from dataclasses import dataclass

import msgspec

from schemas.decimals import scaled
from schemas.meter import Meter
from schemas.period import format_instant, parse_instant
from schemas.quantity import MICRO, format_micro
from schemas.quota import QuotaState, state_key
from streams.folds import Counter, memory_fields, remember
from streams.sheet import Sheet

encode = msgspec.json.Encoder().encode
decode_state = msgspec.json.Decoder(QuotaState).decode

Row = tuple[bytes, bytes | None]


@dataclass(frozen=True, slots=True)
class Moment:
    """Up to where rows count: epoch, exclusive offset, and the log's clock (epoch ms) there."""

    epoch: int
    position: int
    clock_ms: int


def row_key(sheet: Sheet, meter: Meter) -> bytes:
    """The key of a counter's row."""
    window = sheet.span.window
    return state_key(sheet.account.tenant, meter.name, window.kind, window.start)


def encode_row(
    sheet: Sheet, counter: Counter, place: tuple[int, Meter], moment: Moment
) -> tuple[bytes, bytes]:
    """A counter as key and value; the decision is that of the clock, within the window."""
    index, meter = place
    account, window = sheet.account, sheet.span.window
    term = account.timeline.at(sheet.span.within(moment.clock_ms))
    limits = term.limits[window.kind][index]
    decision = limits.decide(counter.used)
    is_put_off = decision == "deny" and limits.grace_ms is not None
    denied_ms = counter.denied_ms if is_put_off else None
    state = QuotaState(
        tenant=account.tenant,
        meter=meter.name,
        window=window,
        used=format_micro(counter.used),
        limit=limits.limit,
        decision=decision,
        resets_at=window.end,
        announced=counter.announced,
        epoch=moment.epoch,
        position=moment.position,
        entitlement_version=counter.version,
        deny_from=None if denied_ms is None else format_instant(denied_ms),
        **({} if counter.memory is None else memory_fields(counter)),
    )
    return row_key(sheet, meter), encode(state)


def restore_row(counter: Counter, meter: Meter, state: QuotaState) -> None:
    """Make a new counter what it was when it was written."""
    used = state.used
    counter.used = int(used) * MICRO if used.isdigit() else scaled(used, 6)  # half the time
    counter.version = state.entitlement_version
    counter.announced = state.announced
    if state.deny_from is not None:
        counter.denied_ms = parse_instant(state.deny_from)
    if not meter.is_additive:
        counter.memory = remember(state, meter.aggregation)
