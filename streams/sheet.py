"""What a shard remembers of a tenant: its timeline and one sheet of counters a window.

Owns the shape of rows in memory and in `quota.state`. Counting itself is the shard's matter.
"""

import msgspec

from schemas.decimals import scaled
from schemas.period import BillingPeriod, format_instant
from schemas.quantity import MICRO, format_micro
from schemas.quota import QuotaState, Window, state_key
from schemas.vector import OFFSET_BITS, position
from streams.limits import Term, Timeline

_OFFSET_MASK = (1 << OFFSET_BITS) - 1

encode = msgspec.json.Encoder().encode
decode_state = msgspec.json.Decoder(QuotaState).decode


class Counter:
    """The running sum of one tenant, meter and window.

    `alarm` is the quantity at which the next announcement is due under the sheet's term;
    `position` is epoch and exclusive offset of the last event counted; `judged_ms` the instant
    whose entitlements tell the decision; `version` those it was last judged by.
    """

    __slots__ = (
        "alarm",
        "announced",
        "is_dirty",
        "judged_ms",
        "meter",
        "position",
        "sheet",
        "used",
        "version",
    )

    def __init__(self, sheet: "Sheet", meter: int, version: int) -> None:
        self.sheet = sheet
        self.meter = meter
        self.used = 0
        self.alarm = 0
        self.position = 0
        self.version = version
        self.judged_ms = 0
        self.announced: tuple[str, ...] = ()
        self.is_dirty = False


def window_of(period: BillingPeriod) -> Window:
    """A billing period as counters name it."""
    start, end = format_instant(period.start_ms), format_instant(period.end_ms)
    return Window("billing_period", start, end)


class Sheet:
    """A tenant's counters of one window, by meter index, and the term they are compared with.

    `[from_ms, until_ms)` is where that term meets the window; empty when it must be chosen anew.
    """

    __slots__ = ("account", "counters", "from_ms", "period", "term", "until_ms", "window")

    def __init__(
        self, account: "Account", period: BillingPeriod, window: Window, meters: int
    ) -> None:
        self.account = account
        self.period = period
        self.window = window
        self.counters: list[Counter | None] = [None] * meters
        self.term: Term = account.timeline.at(period.start_ms)
        self.from_ms = self.until_ms = 0

    def choose_term(self, instant_ms: int) -> None:
        """Compare with what is in force at an instant of the window from here on."""
        self.term = term = self.account.timeline.at(instant_ms)
        self.from_ms = max(term.from_ms, self.period.start_ms)
        self.until_ms = min(term.until_ms, self.period.end_ms)
        for counter in self.counters:
            if counter is not None:
                counter.alarm = term.limits[counter.meter].alarm(0)

    def within(self, instant_ms: int) -> int:
        """The instant of the window that is nearest to a given one."""
        return min(max(instant_ms, self.period.start_ms), self.period.end_ms - 1)

    def counter(self, meter: int) -> Counter:
        """A new counter at nothing, under the present term."""
        counter = Counter(self, meter, self.account.timeline.version)
        counter.alarm = self.term.limits[meter].alarm(0)
        self.counters[meter] = counter
        return counter


class Account:
    """A tenant: its timeline, its sheets by window start, and the sheet used last."""

    __slots__ = ("latest", "sheets", "tenant", "timeline")

    def __init__(self, tenant: str, timeline: Timeline) -> None:
        self.tenant = tenant
        self.timeline = timeline
        self.sheets: dict[int, Sheet] = {}
        self.latest: Sheet | None = None


def encode_row(counter: Counter, meter: str) -> tuple[bytes, bytes]:
    """A counter as key and value of `quota.state`."""
    sheet = counter.sheet
    tenant, window = sheet.account.tenant, sheet.window
    term = sheet.account.timeline.at(sheet.within(counter.judged_ms))
    limits = term.limits[counter.meter]
    state = QuotaState(
        tenant=tenant,
        meter=meter,
        window=window,
        used=format_micro(counter.used),
        limit=limits.limit,
        decision=limits.decide(counter.used),
        resets_at=window.end,
        announced=counter.announced,
        epoch=counter.position >> OFFSET_BITS,
        position=counter.position & _OFFSET_MASK,
        entitlement_version=counter.version,
    )
    return state_key(tenant, meter, window.kind, window.start), encode(state)


def restore_row(sheet: Sheet, meter: int, state: QuotaState) -> Counter:
    """A counter as it was written."""
    counter = sheet.counter(meter)
    used = state.used
    counter.used = int(used) * MICRO if used.isdigit() else scaled(used, 6)  # half the time
    counter.position = position(state.epoch, state.position)
    counter.version = state.entitlement_version
    counter.announced = state.announced
    return counter
