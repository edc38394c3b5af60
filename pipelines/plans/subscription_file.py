"""A file of subscriptions: `tenant,plan,starts_at` and what else `COLUMNS` names, times UTC.

Rows of one tenant are one subscription, `sub_<tenant>`; a row ends where the tenant's next begins.
A row with `trial_days` begins with a trial of its plan. `anchor_day` is the tenant's.
Owns the reading of the file; storing and changing subscriptions is the ledger's.
"""

import csv
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import pairwise, zip_longest
from typing import Literal, get_args

from pipelines.plans.file_currencies import Currencies
from schemas.card import card_fault
from schemas.catalog import Catalog
from schemas.errors import InvalidInput
from schemas.event import MAX_NAME
from schemas.period import format_instant, to_ms
from schemas.subscription import Interval, PlanSegment, Subscription

REQUIRED = ("tenant", "plan", "starts_at")
COLUMNS = (*REQUIRED, "ends_at", "currency", "card", "interval", "trial_days", "anchor_day")
MAX_TRIAL_DAYS = 366
DAY_MS = 86_400_000
_NOBODY = Currencies()


@dataclass(frozen=True, slots=True)
class _Row:
    """A line of the file; what the tenant's rows must agree on is empty where it is left out."""

    line: int
    tenant: str
    plan: str
    starts_ms: int
    ends_ms: int | None
    currency: str
    card: str
    interval: Interval
    trial_days: int
    anchor_day: str


def parse(
    text: str,
    name: str,
    catalog_version: int,
    catalog: Catalog,
    currencies: Currencies = _NOBODY,
) -> list[Subscription]:
    """Read subscriptions, ordered by tenant; their segments keep `catalog_version`.

    An empty `currency`, `card` or `anchor_day` is what another row of the tenant says, or else the
    one of `currencies` or USD, the card that the tenant has, and calendar months.

    Raises:
        InvalidInput: one line `file:line: column: reason; remedy` for each error found.
    """
    return _Reader(name, catalog_version, catalog, currencies).read(text)


class _Reader:
    """Reads one file and collects all that is wrong with it."""

    def __init__(
        self, name: str, catalog_version: int, catalog: Catalog, currencies: Currencies
    ) -> None:
        self._name = name
        self._catalog_version = catalog_version
        self._catalog = catalog
        self._currencies = currencies
        self._errors: list[tuple[int, str]] = []

    def read(self, text: str) -> list[Subscription]:
        by_tenant: dict[str, list[_Row]] = {}
        for line, values in self._lines(text):
            row = self._row(line, values)
            if row is not None:
                by_tenant.setdefault(row.tenant, []).append(row)
        subscriptions = [self._subscription(by_tenant[tenant]) for tenant in sorted(by_tenant)]
        self._raise_errors()
        return subscriptions

    def _lines(self, text: str) -> Iterator[tuple[int, dict[str, str]]]:
        """The values of every row that is not blank, by column, with its line number."""
        rows = csv.reader(text.removeprefix("\ufeff").splitlines())
        columns = [column.strip() for column in next(rows, [])]
        self._check_header(columns)
        for row in rows:
            values = [value.strip() for value in row]
            if any(values[len(columns) :]):
                extra = next(filter(None, values[len(columns) :]))
                self._fault(rows.line_num, "row", f"{extra!r} is beyond the last column; remove it")
            elif any(values):
                values += [""] * len(columns)
                yield rows.line_num, dict(zip(columns, values, strict=False))

    def _check_header(self, columns: Sequence[str]) -> None:
        for column in REQUIRED:
            if column not in columns:
                self._fault(1, column, f"the column is missing; there are {', '.join(COLUMNS)}")
        for column in columns:
            if column not in COLUMNS:
                self._fault(1, column, f"not a known column; there are {', '.join(COLUMNS)}")
            elif columns.count(column) > 1:
                self._fault(1, column, "the column is there more than once; keep one")
        self._raise_errors()

    def _row(self, line: int, values: dict[str, str]) -> _Row | None:
        faults = [(column, reason) for column, reason in self._faults(values) if reason]
        for column, reason in faults:
            self._fault(line, column, reason)
        if faults:
            return None
        ends = values.get("ends_at")
        return _Row(
            line,
            values["tenant"],
            values["plan"],
            _instant(values["starts_at"]),
            _instant(ends) if ends else None,
            values.get("currency", ""),
            values.get("card", ""),
            "year" if values.get("interval") == "year" else "month",
            int(values.get("trial_days") or 0),
            values.get("anchor_day", ""),
        )

    def _faults(self, values: dict[str, str]) -> Iterator[tuple[str, str | None]]:
        """Each column's fault, None where it has none."""
        tenant, currency, card = values["tenant"], values.get("currency"), values.get("card")
        starts, ends = values["starts_at"], values.get("ends_at")
        yield "tenant", _tenant_fault(tenant)
        yield "plan", _choice_fault(values["plan"], self._catalog.plans)
        yield "plan", self._tenants_fault(values["plan"], tenant)
        yield "starts_at", _time_fault(starts)
        yield "ends_at", _time_fault(ends) if ends else None
        yield "currency", self._currencies.fault(currency, tenant, self._catalog.currencies)
        yield "card", card_fault(card) if card else None
        yield "interval", self._interval_fault(values.get("interval"), values["plan"])
        yield "trial_days", _number_fault(values.get("trial_days"), 0, MAX_TRIAL_DAYS)
        yield "anchor_day", self._anchor_fault(values.get("anchor_day"))
        if ends and not _time_fault(starts) and not _time_fault(ends):
            yield "ends_at", _order_fault(starts, ends)

    def _tenants_fault(self, plan: str, tenant: str) -> str | None:
        offered = self._catalog.plans.get(plan)
        if offered is None or offered.is_for(tenant):
            return None
        return (
            f"{plan} is for other tenants alone; choose another, or add {tenant} to its `tenants`"
        )

    def _interval_fault(self, text: str | None, plan: str) -> str | None:
        offered = self._catalog.plans.get(plan)
        if text == "year" and offered and not offered.base_fee_yearly:
            return f"{plan} has no yearly fee; write its `base_fee_yearly`, or month"
        return _word_fault(text, get_args(Interval))

    def _anchor_fault(self, text: str | None) -> str | None:
        fault = _number_fault(text, 1, 31)
        if fault is None and text and int(text) != 1 and not self._catalog.anniversary_billing:
            return (
                "the price list bills by calendar months; write `anniversary_billing: true` in it"
            )
        return fault

    def _subscription(self, rows: list[_Row]) -> Subscription:
        """One tenant's rows as a subscription, each cut where the next begins."""
        rows.sort(key=lambda row: row.starts_ms)
        for row, later in pairwise(rows):
            if row.starts_ms == later.starts_ms:
                reason = f"the same time as in line {row.line}; only one plan can begin then"
                self._fault(later.line, "starts_at", reason)
        return Subscription(
            id=f"sub_{rows[0].tenant}",
            tenant=rows[0].tenant,
            currency=self._agreed("currency", rows) or self._usual_currency(rows[0]),
            card=self._agreed("card", rows),
            segments=tuple(self._segments(rows)),
            anchor_day=int(self._agreed("anchor_day", rows) or 1),
        )

    def _usual_currency(self, row: _Row) -> str:
        usual = self._currencies.usual(row.tenant)
        if usual not in self._catalog.currencies:
            offered = ", ".join(self._catalog.currencies)
            self._fault(row.line, "currency", f"it is empty; write one of {offered}")
        return usual

    def _segments(self, rows: list[_Row]) -> Iterator[PlanSegment]:
        next_starts = [row.starts_ms for row in rows[1:]]
        for row, next_ms in zip_longest(rows, next_starts):
            ends = [end for end in (row.ends_ms, next_ms) if end is not None]
            ends_ms = min(ends, default=None)
            if ends_ms != row.starts_ms:  # told already: two rows begin at the same time
                yield from self._with_trial(row, ends_ms)

    def _with_trial(self, row: _Row, ends_ms: int | None) -> Iterator[PlanSegment]:
        plan = PlanSegment(row.plan, self._catalog_version, row.starts_ms, ends_ms, row.interval)
        paid_ms = row.starts_ms + row.trial_days * DAY_MS
        if row.trial_days:
            tried_ms = paid_ms if ends_ms is None else min(paid_ms, ends_ms)
            yield replace(plan, ends_ms=tried_ms, phase="trial")
        if ends_ms is None or paid_ms < ends_ms:
            yield replace(plan, starts_ms=paid_ms)

    def _agreed(self, column: Literal["currency", "card", "anchor_day"], rows: list[_Row]) -> str:
        """What the tenant's rows say, empty if none says anything."""
        said = [(row.line, str(getattr(row, column))) for row in rows if getattr(row, column)]
        for line, value in said:
            if value != said[0][1]:
                reason = f"{value!r} differs from line {said[0][0]}; write one for the tenant"
                self._fault(line, column, reason)
        return said[0][1] if said else ""

    def _fault(self, line: int, column: str, reason: str) -> None:
        self._errors.append((line, f"{self._name}:{line}: {column}: {reason}"))

    def _raise_errors(self) -> None:
        if self._errors:
            raise InvalidInput("\n".join(text for _, text in sorted(set(self._errors))))


def _tenant_fault(tenant: str) -> str | None:
    if not tenant:
        return "it is empty; write the tenant as its events name it"
    if len(tenant) > MAX_NAME:
        return f"it has {len(tenant)} characters; at most {MAX_NAME}"
    return None


def _choice_fault(value: str, offered: Collection[str]) -> str | None:
    if value in offered:
        return None
    return f"{value!r} is not in the price list; there are {', '.join(offered)}"


def _word_fault(value: str | None, words: Collection[str]) -> str | None:
    if not value or value in words:
        return None
    return f"{value!r} is not known; write {' or '.join(words)}, or nothing"


def _number_fault(text: str | None, least: int, most: int) -> str | None:
    if not text or (text.isascii() and text.isdigit() and least <= int(text) <= most):
        return None
    return f"{text!r} is not a number from {least} to {most}"


def _time_fault(text: str) -> str | None:
    try:
        instant_ms = _instant(text)
    except (ValueError, OverflowError):
        return f"{text!r} is not a time; write it like 2026-10-01 or 2026-10-01T12:00:00Z"
    return f"{text!r} is not a whole second; plans change at seconds" if instant_ms % 1000 else None


def _order_fault(starts: str, ends: str) -> str | None:
    if _instant(starts) < _instant(ends):
        return None
    return f"{ends!r} is not after {format_instant(_instant(starts))}; the end is exclusive"


def _instant(text: str) -> int:
    """Epoch milliseconds of an ISO time or date; without a zone it is UTC."""
    moment = datetime.fromisoformat(text)
    return to_ms(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
