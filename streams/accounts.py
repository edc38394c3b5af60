"""All tenants of a partition: opened at need, given their timelines, cleared of past windows.

Owns who has which sheet and for how long. Counting is the shard's matter.
"""

import msgspec

from pipelines.entitlements import DEFAULT_VERSION, default_entry
from schemas.catalog import Catalog
from schemas.entitlement import Entitlements
from schemas.period import BillingPeriod, parse_instant
from schemas.quota import Window, state_key
from streams.limits import NEVER, Timeline
from streams.sheet import Account, Sheet, decode_state, restore_row, window_of

_DAY_MS = 86_400_000

_decode_key = msgspec.json.Decoder(tuple[str, str, str, str]).decode


class Accounts:
    """Accounts by tenant. A sheet is kept for `keep_ms` after its window's end; None is for ever.

    `expires_ms` is when the next sheet's time is over, by the log's clock.
    """

    def __init__(self, catalog: Catalog, keep_ms: int | None) -> None:
        self.by_tenant: dict[str, Account] = {}
        self.meters = [meter.name for meter in catalog.meter_list]
        self.expires_ms = NEVER
        self._index = {name: index for index, name in enumerate(self.meters)}
        self._default = default_entry(catalog)
        self._unpublished = Timeline(DEFAULT_VERSION, [self._default], self.meters)
        self._keep_ms = keep_ms
        self._by_day: dict[int, BillingPeriod] = {}
        self._by_start: dict[str, BillingPeriod] = {}
        self._windows: dict[BillingPeriod, Window] = {}

    def account(self, tenant: str) -> Account:
        """A tenant's account, under the default plan unless something was published for it."""
        account = self.by_tenant.get(tenant)
        if account is None:
            account = self.by_tenant[tenant] = Account(tenant, self._unpublished)
        return account

    def publish(self, entitlements: Entitlements) -> Account | None:
        """Put a timeline in force; None if a higher version is already.

        Raises:
            ValueError: a quantity or an instant in it cannot be read; nothing was changed.
        """
        timeline = Timeline.of(entitlements, self._default, self.meters)
        account = self.account(entitlements.tenant)
        if timeline.version < account.timeline.version:
            return None
        account.timeline = timeline
        account.latest = None
        return account

    def turn_sheet(self, account: Account, time_ms: int) -> Sheet:
        """The sheet for an event's time, with the term in force then."""
        day = time_ms // _DAY_MS
        period = self._by_day.get(day)
        if period is None:
            period = self._by_day[day] = BillingPeriod.month_of(time_ms)
        account.latest = sheet = self._sheet(account, period)
        sheet.choose_term(time_ms)
        return sheet

    def _sheet(self, account: Account, period: BillingPeriod) -> Sheet:
        sheet = account.sheets.get(period.start_ms)
        if sheet is None:
            window = self._windows.get(period)
            if window is None:
                window = self._windows[period] = window_of(period)
            sheet = Sheet(account, period, window, len(self.meters))
            account.sheets[period.start_ms] = sheet
            self.expires_ms = min(self.expires_ms, self._expiry(period))
        return sheet

    def restore(self, key: bytes, value: bytes | None) -> None:
        """Take over a row as it was written, or its end; a meter that is no more is left alone.

        Raises:
            msgspec.DecodeError: not a key or a value of `quota.state`.
        """
        tenant, meter, _, start = _decode_key(key)
        index = self._index.get(meter)
        if index is None:
            return
        period = self._by_start.get(start)
        if period is None:
            period = self._by_start[start] = BillingPeriod.month_of(parse_instant(start))
        sheet = self._sheet(self.account(tenant), period)
        if value is None:
            sheet.counters[index] = None
        else:
            restore_row(sheet, index, decode_state(value))

    def expire(self, clock_ms: int) -> list[bytes]:
        """Drop the sheets whose time is over by then; the keys of their rows."""
        keys = []
        self.expires_ms = NEVER
        for account in list(self.by_tenant.values()):
            for start, sheet in list(account.sheets.items()):
                expiry = self._expiry(sheet.period)
                if expiry <= clock_ms:
                    keys += self._drop(account.sheets.pop(start))
                else:
                    self.expires_ms = min(self.expires_ms, expiry)
            if not account.sheets and account.timeline is self._unpublished:
                del self.by_tenant[account.tenant]
        return keys

    def _expiry(self, period: BillingPeriod) -> int:
        return NEVER if self._keep_ms is None else period.end_ms + self._keep_ms

    def _drop(self, sheet: Sheet) -> list[bytes]:
        account, window = sheet.account, sheet.window
        if account.latest is sheet:
            account.latest = None
        return [
            state_key(account.tenant, self.meters[counter.meter], window.kind, window.start)
            for counter in sheet.counters
            if counter is not None
        ]
