"""One partition's counters, repeats and thresholds: a pure function of the log.

Owns what is counted and what is announced. It reads no topic, writes none and has no clock: rows
after a position depend on the records before it alone, however the log was cut and replayed.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from pipelines.admission.admission import Admission
from schemas.catalog import Catalog
from schemas.entitlement import Entitlements
from schemas.event import Event, Rejection
from streams.counting.accounts import Accounts
from streams.counting.crossings import Crossing, Judgement, announce, cause_of, change_of
from streams.counting.folds import FOLDS, Counter, add_member
from streams.counting.limits import Term
from streams.counting.repeats import Repeats
from streams.counting.rows import Moment, Row, RowEncoder
from streams.counting.sheet import NOT_HERE, Sheet
from streams.record import Record

_CLOCK_SLACK_MS = 86_400_000


@dataclass(frozen=True, slots=True)
class Changes:
    """What happened since the last ones, up to the exclusive `position` in `usage.events`.

    A row without a value ends a counter whose window is over.
    """

    position: int
    rows: list[Row]
    crossings: list[Crossing]
    counted: int
    duplicates: int
    rejected: int


class Shard:
    """Counts a partition. A repeat is known for one to two windows of `dedupe_window` offsets.

    A window of counters is dropped when no event for it can be admitted any more, `max_age_ms`
    after its end by the log's clock and a day for clocks that step back; None keeps all.
    Memory: about 160 bytes for every event in two windows, 300 bytes a counter.
    """

    def __init__(
        self,
        catalog: Catalog,
        admission: Admission,
        *,
        partition: int,
        dedupe_window: int,
        epoch: int,
        max_age_ms: int | None = None,
    ) -> None:
        self._admit = admission.admit
        self._repeats = Repeats(dedupe_window)
        self._partition = partition
        self._epoch = epoch
        keep_ms = None if max_age_ms is None else max_age_ms + _CLOCK_SLACK_MS
        self._accounts = Accounts(catalog, keep_ms)
        self._meters = self._accounts.meters
        self._folds = [FOLDS.get(meter.aggregation) for meter in self._meters]
        self._counted_to = 0
        self.next = 0
        self.clock_ms = self._told_ms = 0
        self._begin()

    def _begin(self) -> None:
        self._dirty: list[tuple[Sheet, int]] = []
        self._ended: list[bytes] = []
        self._crossings: list[Crossing] = []
        self._counted = self._duplicates = self._rejected = 0

    @property
    def position(self) -> int:
        """The exclusive offset that the rows stand for; reading back does not move it."""
        return max(self.next, self._counted_to)

    @property
    def has_crossings(self) -> bool:
        """Is something to be announced that was not handed out yet?"""
        return bool(self._crossings)

    @property
    def has_changes(self) -> bool:
        """Is there anything that the last `changes` did not hand out, the position apart?"""
        return bool(self._dirty or self._ended or self._crossings)

    def restore(self, key: bytes, value: bytes | None) -> None:
        """Take over a row as it was written; see `Accounts.restore`."""
        self._accounts.restore(key, value)

    def start_at(self, counted_to: int) -> int:
        """The rows stand for this offset; where to read from, so that repeats are known."""
        self._counted_to = counted_to
        self.next = self._repeats.warm_from(counted_to)
        return self.next

    def apply(self, records: Iterable[Record]) -> None:
        """Count records in the order of their offsets; one below `next` was seen and is ignored."""
        admit, accounts, repeats = self._admit, self._accounts, self._repeats
        partition = self._partition
        has_seen = repeats.has_seen
        for record in records:
            offset, arrived_ms = record.offset, record.timestamp
            if offset < self.next:
                continue
            if offset >= repeats.until:
                repeats.turn_to(offset)
            is_new = offset >= self._counted_to
            if is_new and arrived_ms >= accounts.expires_ms:
                self._ended += accounts.expire(arrived_ms)
            for event in admit(record.key, record.value, arrived_ms, partition):
                if type(event) is Rejection:
                    self._rejected += is_new
                elif not has_seen(event):
                    if is_new:
                        self._count(event, record)
                else:
                    self._duplicates += is_new
            self.next = offset + 1
            self.clock_ms = arrived_ms

    def skip_to(self, offset: int) -> None:
        """There is nothing to count below this offset (transaction markers are no records)."""
        self.next = max(self.next, offset)

    def _count(self, event: Event, record: Record) -> None:
        self._counted += 1
        values, time_ms = event.values, event.time_ms
        if not values and not event.members:
            return
        accounts, folds = self._accounts, self._folds
        account = accounts.by_tenant.get(event.tenant) or accounts.account(event.tenant)
        if not account.from_ms <= time_ms < account.until_ms:
            accounts.turn(account, time_ms)
        for sheet in account.current:
            for meter, micro in values:
                counter = sheet.counters[meter] or sheet.open(meter)
                if counter is NOT_HERE:
                    continue
                if (fold := folds[meter]) is None:
                    counter.used += micro
                else:
                    fold(counter, micro, time_ms)
                if not counter.is_dirty:
                    self._touch(sheet, meter, counter)
                if counter.used >= counter.alarm:
                    self._reached(sheet, meter, counter, event, record)
        if event.members:
            self._count_members(account.current, event, record)

    def _count_members(self, sheets: Iterable[Sheet], event: Event, record: Record) -> None:
        for sheet in sheets:
            for meter, text in event.members:
                counter = sheet.counters[meter] or sheet.open(meter)
                if counter is not NOT_HERE:
                    add_member(counter, text)
                    self._touch(sheet, meter, counter)
                    if counter.used >= counter.alarm:
                        self._reached(sheet, meter, counter, event, record)

    def _reached(
        self, sheet: Sheet, meter: int, counter: Counter, event: Event, record: Record
    ) -> None:
        cause = cause_of(event, record)
        self._announce(
            sheet, meter, counter, Judgement(sheet.limits(meter), cause, record.timestamp)
        )

    def apply_entitlements(self, entitlements: Entitlements, at_ms: int) -> None:
        """Judge by a newer timeline from here on; one of a lower version is ignored.

        What is in force at `at_ms` and reached already is announced at once, its cause being the
        change itself (see `crossings.change_of`). What lies above `used` is due anew.

        Raises:
            ValueError: a quantity or an instant in it cannot be read; nothing was changed.
        """
        account, ended = self._accounts.publish(entitlements, self.clock_ms)
        self._ended += ended
        self._told_ms = max(self.clock_ms, at_ms)
        for sheet in account.sheets if account else ():
            term = sheet.account.timeline.at(sheet.span.within(self._told_ms))
            for meter, counter in sheet.live():
                if counter.version < entitlements.version:
                    self._judge_anew(sheet, meter, counter, term)

    def judge_all(self, at_ms: int) -> None:
        """Judge every counter by what is in force at an instant, and hand out its row.

        For counters that were made anew: what they have reached and did not announce is due.
        """
        self._told_ms = max(self.clock_ms, at_ms)
        for account in self._accounts.by_tenant.values():
            for sheet in account.sheets:
                term = account.timeline.at(sheet.span.within(self._told_ms))
                for meter, counter in sheet.live():
                    self._judge_anew(sheet, meter, counter, term)

    def _judge_anew(self, sheet: Sheet, meter: int, counter: Counter, term: Term) -> None:
        counter.version = sheet.account.timeline.version
        limits = term.limits[sheet.span.kind][meter]
        cause = change_of(sheet, counter, term.from_ms)
        self._announce(sheet, meter, counter, Judgement(limits, cause, self._told_ms))
        self._touch(sheet, meter, counter)

    def _announce(self, sheet: Sheet, meter: int, counter: Counter, judged: Judgement) -> None:
        self._crossings += announce(sheet, counter, self._meters[meter].name, judged)
        counter.alarm = judged.limits.alarm(counter.used)

    def _touch(self, sheet: Sheet, meter: int, counter: Counter) -> None:
        if not counter.is_dirty:
            counter.is_dirty = True
            self._dirty.append((sheet, meter))

    def changes(self) -> Changes:
        """Rows, crossings and figures since the last time; they are handed out once."""
        moment = Moment(self._epoch, self.position, max(self.clock_ms, self._told_ms))
        encoder = RowEncoder(self._meters, moment)
        rows: list[Row] = [(key, None) for key in self._ended]
        for sheet, meter in self._dirty:
            counter = sheet.counters[meter]
            if counter is not None and counter.is_dirty:
                counter.is_dirty = False
                rows.append(encoder.row(sheet, meter, counter))
        changes = Changes(
            self.position, rows, self._crossings, self._counted, self._duplicates, self._rejected
        )
        self._begin()
        return changes
