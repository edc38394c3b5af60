"""What a rebuild writes: the chosen counters as usage and log make them, and what is due of them.

Pure, but for the clock that judges. What was announced of a counter is never forgotten.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace

import msgspec

from schemas.entitlement import Entitlements
from schemas.quota import QuotaExceeded, QuotaState, Rebuild, rebuild_key, state_key
from schemas.rebuild import Chosen, Part
from streams.counting.crossings import HARD, Crossing
from streams.counting.rows import Row, decode_state, encode
from streams.counting.shard import Changes, Shard
from streams.counting.windows import DAY_MS, Span, read_span
from streams.journal.counters import CountersConfig
from streams.journal.journal_reader import now_ms
from streams.rebuild.recount import recount, state_of

LONGEST_WINDOW_MS = 31 * DAY_MS
CLOCK_SLACK_MS = DAY_MS


@dataclass(slots=True)
class JournalRows:
    """A partition's journal as it was read: rows by key, timelines by tenant, positions.

    `inherited` are rows of earlier topics that it does not have itself.
    """

    rows: dict[bytes, QuotaState] = field(default_factory=dict)
    inherited: dict[bytes, QuotaState] = field(default_factory=dict)
    published: dict[str, Entitlements] = field(default_factory=dict)
    counted_to: int = 0
    entitlements: int = 0
    has_crossings: bool = False

    def restore(self, key: bytes, value: bytes | None) -> None:
        """Take over a row, or its end.

        Raises:
            ValueError, OverflowError: not a value of `quota.state`.
        """
        if value is None:
            self.rows.pop(key, None)
        else:
            state = decode_state(value)
            read_span(state.window)  # a foreign row may name none
            self.rows[key] = state

    def inherit(self, rows: Mapping[bytes, QuotaState]) -> None:
        """Take over rows of another journal, where there is none here."""
        self.inherited = {key: state for key, state in rows.items() if key not in self.rows}
        self.rows |= self.inherited

    def start_at(self, counted_to: int) -> int:
        self.counted_to = counted_to
        return counted_to

    def apply_entitlements(self, entitlements: Entitlements, at_ms: int) -> None:
        self.published[entitlements.tenant] = entitlements


@dataclass(frozen=True, slots=True)
class Remaking:
    """Which counters of a partition are made anew; windows that begin before `from_ms` are left."""

    config: CountersConfig
    chosen: Chosen
    from_ms: int

    def shard(self, partition: int, parts: Iterable[Part], before: JournalRows) -> Shard:
        """A shard with the chosen counters as usage makes them, and what was announced of them."""
        shard = self.config.shard(partition)
        rows = before.rows
        for key, counter in recount(parts, self.config.catalog, before.published).items():
            code = key.encode()
            if key.span.start_ms >= self.from_ms and (code in rows or self._is_kept(key.span)):
                shard.restore(code, encode(state_of(key, counter, rows.get(code))))
        for entitlements in before.published.values():
            shard.apply_entitlements(entitlements, now_ms())
        return shard

    def _is_kept(self, span: Span) -> bool:
        """Can an event for the window still be admitted?"""
        if self.config.max_age_ms is None:
            return True
        is_part = span.kind == "day" and self.config.catalog.anniversary_billing
        kept_ms = self.config.max_age_ms + CLOCK_SLACK_MS + (LONGEST_WINDOW_MS if is_part else 0)
        return span.end_ms + kept_ms > now_ms()

    def changes(self, shard: Shard, found: JournalRows, start: int) -> Changes:
        """The chosen counters' rows, what they reached and nobody was told, the record of it all.

        `start` is the exclusive offset up to which stored usage was taken. A row that neither usage
        nor the log knows becomes 0 and is not taken away: what was announced of it stays known.
        """
        for entitlements in found.published.values():
            shard.apply_entitlements(entitlements, now_ms())
        shard.judge_all(now_ms())
        changes = shard.changes()
        rows = [row for row in changes.rows if self.chosen.has(*_whose(row[0]))]
        crossings = [
            each
            for each in changes.crossings
            if self.chosen.has(each.tenant, each.meter) and not _was_told(each, found)
        ]
        told = [_with_announced(row, found) for row in rows]
        told += self._emptied(found, {key for key, _ in rows}, changes.position)
        told += _as_they_were(found.inherited, {key for key, _ in told})
        return replace(changes, rows=[*self._records(start, told), *told], crossings=crossings)

    def _emptied(self, found: JournalRows, made: Collection[bytes], position: int) -> list[Row]:
        return [
            (key, encode(_nothing(state, self.config.epoch, position)))
            for key, state in found.rows.items()
            if key not in made
            and self.chosen.has(state.tenant, state.meter)
            and read_span(state.window).start_ms >= self.from_ms
        ]

    def _records(self, start: int, rows: Iterable[Row]) -> list[Row]:
        """One for each meter, and tenant where they were named: how a comparison knows of this."""
        tenants = sorted({_whose(key)[0] for key, _ in rows}) if self.chosen.tenants else [""]
        return [
            (
                rebuild_key(meter, tenant),
                encode(Rebuild(meter, tenant, self.config.epoch, start)),
            )
            for meter in sorted(self.chosen.meters)
            for tenant in tenants
        ]


def _as_they_were(rows: Mapping[bytes, QuotaState], made: Collection[bytes]) -> list[Row]:
    return [(key, encode(state)) for key, state in rows.items() if key not in made]


def _nothing(state: QuotaState, epoch: int, position: int) -> QuotaState:
    return msgspec.structs.replace(
        state,
        used="0",
        decision="allow",
        epoch=epoch,
        position=position,
        deny_from=None,
        grace_ends=state.grace_until,
        as_of=None,
        members=None,
    )


def _whose(key: bytes) -> tuple[str, str]:
    tenant, meter, *_ = msgspec.json.decode(key)
    return tenant, meter


def _with_announced(row: Row, found: JournalRows) -> Row:
    """The row with all that was announced meanwhile."""
    key, value = row
    before = found.rows.get(key)
    if value is None or before is None:
        return row
    state = decode_state(value)
    missing = tuple(mark for mark in before.announced if mark not in state.announced)
    if not missing:
        return row
    return key, encode(msgspec.structs.replace(state, announced=state.announced + missing))


def _was_told(crossing: Crossing, found: JournalRows) -> bool:
    window = crossing.window
    row = found.rows.get(state_key(crossing.tenant, crossing.meter, window.kind, window.start))
    mark = HARD + crossing.id if isinstance(crossing, QuotaExceeded) else crossing.id
    return row is not None and mark in row.announced
