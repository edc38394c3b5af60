"""All tenants of a partition: opened at need, given their timelines, cleared of past windows.

Owns who has which sheets and for how long. Counting is the shard's matter.
"""

from collections.abc import Sequence

import msgspec

from pipelines.rating.entitlements import DEFAULT_VERSION, default_entry
from schemas.catalog import Catalog
from schemas.entitlement import Entitlements
from schemas.quota import WINDOW_KINDS
from streams.counting.folds import Counter, merge
from streams.counting.limits import NEVER, Timeline
from streams.counting.rows import decode_state, restore_row, row_key
from streams.counting.sheet import NOT_HERE, Account, Sheet
from streams.counting.windows import DAY_MS, Span, instant_of, read_span, span_of

_LONGEST_PERIOD_MS = 31 * DAY_MS
_ALWAYS = (-NEVER, NEVER)

_decode_key = msgspec.json.Decoder(tuple[str, str, str, str]).decode


class Accounts:
    """Accounts by tenant. A sheet is kept for `keep_ms` after its window's end; None is for ever.

    `expires_ms` is when the next sheet's time is over, by the log's clock.
    """

    def __init__(self, catalog: Catalog, keep_ms: int | None) -> None:
        self.by_tenant: dict[str, Account] = {}
        self.meters = catalog.meter_list
        self.expires_ms = NEVER
        self._names = [meter.name for meter in self.meters]
        self._index = {name: index for index, name in enumerate(self._names)}
        self._has_anchors = catalog.anniversary_billing
        self._default = default_entry(catalog)
        self._unpublished = Timeline(DEFAULT_VERSION, [self._default], self._names)
        self._keep_ms = keep_ms
        self._blanks = {
            kind: tuple(None if kind in catalog.windows_of(m) else NOT_HERE for m in self._names)
            for kind in WINDOW_KINDS
        }
        self._kinds = tuple(kind for kind in WINDOW_KINDS if None in self._blanks[kind])

    def account(self, tenant: str) -> Account:
        """A tenant's account, under the default plan unless something was published for it."""
        account = self.by_tenant.get(tenant)
        if account is None:
            account = self.by_tenant[tenant] = Account(tenant, self._unpublished)
        return account

    def publish(
        self, entitlements: Entitlements, clock_ms: int
    ) -> tuple[Account | None, list[bytes]]:
        """Put a timeline in force: the account, None if a higher version is already.

        Also the keys of rows that end, because billing periods begin on other days now.

        Raises:
            ValueError: a quantity or an instant in it cannot be read; nothing was changed.
        """
        timeline = Timeline.of(entitlements, self._default, self._names)
        account = self.account(entitlements.tenant)
        if timeline.version < account.timeline.version:
            return None, []
        is_recast = self._has_anchors and timeline.anchors() != account.timeline.anchors()
        account.timeline = timeline
        account.forget_choice()
        return account, self._recast(account, clock_ms) if is_recast else []

    def turn(self, account: Account, time_ms: int) -> tuple[Sheet, ...]:
        """The sheets for an event's time, with the term in force then."""
        day_ms = time_ms // DAY_MS * DAY_MS
        anchor_day = account.timeline.anchor_day(time_ms) if self._has_anchors else 1
        sheets = tuple(
            self._sheet(account, span_of(kind, time_ms, anchor_day)) for kind in self._kinds
        )
        day = (day_ms, day_ms + DAY_MS) if self._has_anchors else _ALWAYS
        account.use(sheets, account.timeline.at(time_ms), day)
        return sheets

    def _sheet(self, account: Account, span: Span) -> Sheet:
        sheet = account.sheet(span)
        if sheet is None:
            term = account.timeline.at(span.start_ms)
            sheet = Sheet(account, span, term, self._blanks[span.kind])
            account.sheets += (sheet,)
            self.expires_ms = min(self.expires_ms, self._expiry(span))
        return sheet

    def restore(self, key: bytes, value: bytes | None) -> None:
        """Take over a row as it was written, or its end; a meter that is no more is left alone.

        Raises:
            msgspec.DecodeError: not a key or a value of `quota.state`.
        """
        if value is None:
            self._restore_end(key)
            return
        state = decode_state(value)
        index = self._index.get(state.meter)
        span = read_span(state.window)
        if index is not None and self._blanks[span.kind][index] is not NOT_HERE:
            sheet = self._sheet(self.account(state.tenant), span)
            restore_row(sheet.open(index), self.meters[index], state)

    def _restore_end(self, key: bytes) -> None:
        tenant, meter, kind, start = _decode_key(key)
        account, index = self.by_tenant.get(tenant), self._index.get(meter)
        if account is None or index is None:
            return
        start_ms = instant_of(start)
        for sheet in account.sheets:
            if (sheet.span.kind, sheet.span.start_ms) == (kind, start_ms):
                sheet.close(index)

    def _recast(self, account: Account, clock_ms: int) -> list[bytes]:
        """Make billing periods anew of their days; the keys of the rows of those that are no more.

        Which period a day belongs to depends on the timeline alone, so the counters become what
        they would be if the timeline had been known before the first event.
        """
        made: dict[Span, dict[int, Counter]] = {}
        for sheet in account.sheets:
            if sheet.span.kind == "day":
                anchor_day = account.timeline.anchor_day(sheet.span.start_ms)
                span = span_of("billing_period", sheet.span.start_ms, anchor_day)
                if self._expiry(span) > clock_ms:
                    self._add(made.setdefault(span, {}), sheet)
        for span, counters in made.items():
            _replace(self._sheet(account, span), counters)
        gone = [
            sheet
            for sheet in account.sheets
            if sheet.span.kind == "billing_period" and sheet.span not in made
        ]
        account.drop({id(sheet) for sheet in gone})
        return [key for sheet in gone for key in self._keys(sheet)]

    def _add(self, period: dict[int, Counter], day: Sheet) -> None:
        for index, part in day.live():
            whole = period.setdefault(index, Counter(0, 0, 0))
            merge(whole, part, self.meters[index].aggregation)

    def expire(self, clock_ms: int) -> list[bytes]:
        """Drop the sheets whose time is over by then; the keys of their rows."""
        keys: list[bytes] = []
        self.expires_ms = NEVER
        for account in list(self.by_tenant.values()):
            over = [sheet for sheet in account.sheets if self._expiry(sheet.span) <= clock_ms]
            if over:
                keys += self._end(account, over)
            for sheet in account.sheets:
                self.expires_ms = min(self.expires_ms, self._expiry(sheet.span))
        return keys

    def _end(self, account: Account, over: Sequence[Sheet]) -> list[bytes]:
        account.drop({id(sheet) for sheet in over})
        if not account.sheets and account.timeline is self._unpublished:
            del self.by_tenant[account.tenant]
        return [key for sheet in over for key in self._keys(sheet)]

    def _expiry(self, span: Span) -> int:
        if self._keep_ms is None:
            return NEVER
        is_part = span.kind == "day" and self._has_anchors  # of a period that may be recast
        return span.end_ms + self._keep_ms + (_LONGEST_PERIOD_MS if is_part else 0)

    def _keys(self, sheet: Sheet) -> list[bytes]:
        """The keys of a dropped sheet's rows, none of which is to be written any more."""
        for _, counter in sheet.live():
            counter.is_dirty = False
        return [row_key(sheet, self.meters[index]) for index, _ in sheet.live()]


def _replace(sheet: Sheet, counters: dict[int, Counter]) -> None:
    """Give a sheet's counters other figures; what judged those that differ is no longer valid."""
    known = {index for index, _ in sheet.live()}
    for index in known | counters.keys():
        counter = sheet.counters[index] or sheet.open(index)
        fresh = counters.get(index, Counter(0, 0, 0))
        if index not in known or (counter.used, counter.memory) != (fresh.used, fresh.memory):
            counter.used, counter.memory, counter.version = fresh.used, fresh.memory, -1
