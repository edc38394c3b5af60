"""What a shard remembers of a tenant: its timeline and a sheet of counters for each window.

Owns their shape and which sheets an event's time belongs to. Counting is the shard's matter, rows
are `rows`'.
"""

from collections.abc import Sequence

from streams.counting.folds import Counter
from streams.counting.limits import Limits, Term, Timeline
from streams.counting.windows import Span

NOT_HERE = Counter(0, 0, 0)
"""In place of a counter: the meter is not counted in windows of this kind."""


class Sheet:
    """A tenant's counters in one window, by meter index, and the term they are compared with."""

    __slots__ = ("account", "counters", "span", "term")

    def __init__(
        self, account: "Account", span: Span, term: Term, blank: Sequence[Counter | None]
    ) -> None:
        self.account = account
        self.span = span
        self.term = term
        # A tuple: it is made anew for a meter's first value only, and there are millions.
        self.counters = tuple(blank)

    def limits(self, meter: int) -> Limits:
        """What a meter may use in this window under the present term."""
        return self.term.limits[self.span.kind][meter]

    def choose(self, term: Term) -> None:
        """Compare with this term from here on: what was reached already is looked at once more."""
        if term is not self.term:
            self.term = term
            for meter, counter in self.live():
                counter.alarm = self.limits(meter).alarm(0)

    def open(self, meter: int) -> Counter:
        """A new counter at nothing, under the present term."""
        counter = Counter(0, self.limits(meter).alarm(0), self.account.timeline.version)
        self._put(meter, counter)
        return counter

    def close(self, meter: int) -> None:
        """Forget a meter's counter."""
        self._put(meter, None)

    def _put(self, meter: int, counter: Counter | None) -> None:
        counters = list(self.counters)
        counters[meter] = counter
        self.counters = tuple(counters)

    def live(self) -> list[tuple[int, Counter]]:
        """The counters that there are, with their meters' indexes."""
        return [(n, c) for n, c in enumerate(self.counters) if c is not None and c is not NOT_HERE]


class Account:
    """A tenant: its timeline, its sheets in the order of their opening, and those in use.

    `current` are the sheets that events of `[from_ms, until_ms)` are counted in; the interval is
    empty when they must be chosen anew.
    """

    __slots__ = ("current", "from_ms", "sheets", "tenant", "timeline", "until_ms")

    def __init__(self, tenant: str, timeline: Timeline) -> None:
        self.tenant = tenant
        self.timeline = timeline
        self.sheets: tuple[Sheet, ...] = ()
        self.current: tuple[Sheet, ...] = ()
        self.from_ms = self.until_ms = 0

    def sheet(self, span: Span) -> Sheet | None:
        """The sheet of a window; recent ones are found first."""
        for sheet in reversed(self.sheets):
            if sheet.span == span:
                return sheet
        return None

    def use(self, sheets: tuple[Sheet, ...], term: Term, day: tuple[int, int]) -> None:
        """Count in these sheets as long as their windows, the term and `day` all go on.

        `day` bounds for how long the choice of the billing period is known.
        """
        for sheet in sheets:
            sheet.choose(term)
        spans = [sheet.span for sheet in sheets]
        # A tenant with one sheet needs one tuple, not two: there are very many of those.
        self.current = self.sheets if sheets == self.sheets else sheets
        self.from_ms = max(term.from_ms, day[0], *(span.start_ms for span in spans))
        self.until_ms = min(term.until_ms, day[1], *(span.end_ms for span in spans))

    def forget_choice(self) -> None:
        """Choose the sheets anew at the next event."""
        self.current = ()
        self.from_ms = self.until_ms = 0

    def drop(self, dropped: set[int]) -> None:
        """Forget sheets, given by identity."""
        self.sheets = tuple(sheet for sheet in self.sheets if id(sheet) not in dropped)
        self.forget_choice()
