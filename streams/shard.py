"""One partition's counters, repeats and thresholds: a pure function of the log.

Owns what is counted and what is announced. It reads no topic, writes none and has no clock: rows
after a position depend on the records before it alone, however the log was cut and replayed.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from pipelines.admission import Admission
from pipelines.entitlements import DEFAULT_VERSION, default_entry
from schemas.catalog import Catalog
from schemas.entitlement import EntitlementEntry, Entitlements
from schemas.event import Event, Rejection
from schemas.period import BillingPeriod, parse_instant
from schemas.quota import Cause
from schemas.vector import position
from streams.crossings import Crossing, Record, announce, cause_of, change_of
from streams.limits import Term, Timeline
from streams.sheet import Account, Counter, Sheet, decode_state, encode_row, restore_row

_DAY_MS = 86_400_000


@dataclass(frozen=True, slots=True)
class Changes:
    """What happened since the last ones, up to the exclusive `position` in `usage.events`."""

    position: int
    rows: list[tuple[bytes, bytes]]
    crossings: list[Crossing]
    counted: int
    duplicates: int
    rejected: int


class Shard:
    """Counts one partition. A repeat is known for one to two windows of `dedupe_window` offsets.

    Memory: about 160 bytes for every event in two windows, 400 bytes a counter.
    """

    def __init__(
        self, catalog: Catalog, admission: Admission, *, dedupe_window: int, epoch: int
    ) -> None:
        self._admit = admission.admit
        self._window = dedupe_window
        self._base = position(epoch, 1)  # a position is exclusive: one beyond the record
        self._meters = [meter.name for meter in catalog.meter_list]
        self._index = {name: index for index, name in enumerate(self._meters)}
        self._default: EntitlementEntry = default_entry(catalog)
        self._unpublished = Timeline(DEFAULT_VERSION, [self._default], self._meters)
        self._accounts: dict[str, Account] = {}
        self._periods: dict[int, BillingPeriod] = {}
        self._ids: set[int] = set()
        self._older: set[int] = set()
        self._bucket = 0
        self._counted_to = 0
        self.next = 0
        self.clock_ms = 0
        self._begin()

    def _begin(self) -> None:
        self._dirty: list[Counter] = []
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
        return bool(self._dirty or self._crossings)

    def restore(self, value: bytes) -> None:
        """Take over a row as it was written; a meter that the catalogue lost is left alone.

        Raises:
            msgspec.DecodeError: the value is not a `QuotaState`.
        """
        state = decode_state(value)
        meter = self._index.get(state.meter)
        if meter is None:
            return
        period = BillingPeriod.month_of(parse_instant(state.window.start))
        restore_row(self._account(state.tenant).sheet(period, len(self._meters)), meter, state)

    def start_at(self, counted_to: int) -> int:
        """The rows stand for this offset; where to read from, so that repeats are known."""
        self._counted_to = counted_to
        self.next = max(0, (counted_to // self._window - 1) * self._window)
        self._bucket = self.next // self._window
        return self.next

    def apply(self, records: Iterable[Record]) -> None:
        """Count records in the order of their offsets; one below `next` was seen and is ignored."""
        for record in records:
            offset = record.offset
            if offset < self.next:
                continue
            if offset // self._window != self._bucket:
                self._turn_bucket(offset // self._window)
            self._apply(record, offset >= self._counted_to)
            self.next = offset + 1
            self.clock_ms = record.timestamp

    def skip_to(self, offset: int) -> None:
        """There is nothing to count below this offset (transaction markers are no records)."""
        self.next = max(self.next, offset)

    def _apply(self, record: Record, is_new: bool) -> None:
        ids, older = self._ids, self._older
        for event in self._admit(record.key, record.value, record.timestamp):
            if isinstance(event, Rejection):
                self._rejected += is_new
                continue
            # 64 bits, seeded a process: a false repeat once in 1e13 events with a million known
            identity = hash((event.tenant, event.source, event.id))
            is_known = identity in ids or identity in older
            ids.add(identity)  # a repeat, too: else what is known would depend on the first read
            if not is_new:
                continue
            if is_known:
                self._duplicates += 1
            else:
                self._count(event, record)

    def _turn_bucket(self, bucket: int) -> None:
        self._older = self._ids if bucket == self._bucket + 1 else set()
        self._ids = set()
        self._bucket = bucket

    def _count(self, event: Event, record: Record) -> None:
        self._counted += 1
        if not event.values:
            return
        time_ms = event.time_ms
        account = self._accounts.get(event.tenant) or self._account(event.tenant)
        sheet = account.latest
        if sheet is None or not sheet.from_ms <= time_ms < sheet.until_ms:
            sheet = self._turn_sheet(account, time_ms)
        for meter, micro in event.values:
            counter = sheet.counters[meter] or sheet.counter(meter)
            counter.used += micro
            counter.position = self._base + record.offset
            if record.timestamp > counter.judged_ms:  # noqa: PLR1730  max() takes twice as long
                counter.judged_ms = record.timestamp
            if not counter.is_dirty:
                self._touch(counter)
            if counter.used >= counter.alarm:
                self._announce(counter, sheet.term, cause_of(event, record))

    def _account(self, tenant: str) -> Account:
        account = self._accounts.get(tenant)
        if account is None:
            account = self._accounts[tenant] = Account(tenant, self._unpublished)
        return account

    def _turn_sheet(self, account: Account, time_ms: int) -> Sheet:
        day = time_ms // _DAY_MS
        period = self._periods.get(day)
        if period is None:
            period = self._periods[day] = BillingPeriod.month_of(time_ms)
        account.latest = sheet = account.sheet(period, len(self._meters))
        sheet.choose_term(time_ms)
        return sheet

    def apply_entitlements(self, entitlements: Entitlements, at_ms: int) -> None:
        """Judge by a newer timeline from here on; one of a lower version is ignored.

        What is in force at `at_ms` and reached already is announced at once, its cause being the
        change itself (see `crossings.change_of`). What lies above `used` is due anew.

        Raises:
            ValueError: a quantity or an instant in it cannot be read; nothing was changed.
        """
        account = self._account(entitlements.tenant)
        if entitlements.version < account.timeline.version:
            return
        account.timeline = Timeline.of(entitlements, self._default, self._meters)
        account.latest = None
        for sheet in account.sheets.values():
            for counter in sheet.counters:
                if counter is not None and counter.version < entitlements.version:
                    self._judge_anew(counter, at_ms)

    def _judge_anew(self, counter: Counter, at_ms: int) -> None:
        sheet = counter.sheet
        counter.version = sheet.account.timeline.version
        counter.judged_ms = max(counter.judged_ms, at_ms)
        term = sheet.account.timeline.at(sheet.within(at_ms))
        self._announce(counter, term, change_of(counter, term.from_ms))
        self._touch(counter)

    def _announce(self, counter: Counter, term: Term, cause: Cause) -> None:
        limits = term.limits[counter.meter]
        self._crossings += announce(counter, self._meters[counter.meter], limits, cause)
        counter.alarm = limits.alarm(counter.used)

    def _touch(self, counter: Counter) -> None:
        if not counter.is_dirty:
            counter.is_dirty = True
            self._dirty.append(counter)

    def changes(self) -> Changes:
        """Rows, crossings and figures since the last time; they are handed out once."""
        rows = [encode_row(counter, self._meters[counter.meter]) for counter in self._dirty]
        for counter in self._dirty:
            counter.is_dirty = False
        changes = Changes(
            self.position, rows, self._crossings, self._counted, self._duplicates, self._rejected
        )
        self._begin()
        return changes
