"""A month at a glance: sums and the few rows that a person looks at, computed by the database.

Owns reads for display alone; nothing is decided by them, and no invoice is loaded for them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from schemas.invoice import InvoiceState
from schemas.ports import LineWork
from stores.ledger.closings import lines_slice, reconciliation_slice, usage_slice
from stores.ledger.part import LedgerPart
from stores.ledger.tables import closed_usage, invoice_line_drafts, invoices, reconciliations


@dataclass(frozen=True, slots=True)
class MonthTotal:
    """The invoices of a month, currency and state together; void ones are left out."""

    month: str
    currency: str
    state: InvoiceState
    invoices: int
    total_minor: int


@dataclass(frozen=True, slots=True)
class Moved:
    """What a tenant is billed in a month and in the one before it, in minor units."""

    tenant: str
    currency: str
    before_minor: int
    now_minor: int


@dataclass(frozen=True, slots=True)
class MeterSum:
    """A meter's usage in a month; quantities in 1e-6 units. `events` is 0 where it is not known."""

    meter: str
    tenants: int
    quantity_micro: int
    events: int = 0


@dataclass(frozen=True, slots=True)
class LineSum:
    """Lines of one kind, plan or meter and currency together; no meter is ''."""

    kind: str
    plan: str
    meter: str
    currency: str
    lines: int
    quantity_micro: int
    amount_minor: int


@dataclass(frozen=True, slots=True)
class InvoiceRow:
    """An invoice without its lines; a draft has no number, and `held` says why it stays one."""

    tenant: str
    currency: str
    total_minor: int
    state: str
    number: str | None
    held: str | None


class Overviews(LedgerPart):
    """Reads of the tables of invoices and of what they are made from."""

    def month_totals(self, first: str, last: str) -> list[MonthTotal]:
        """What months from the first to the last come to, by month, currency and state."""
        rows = invoices.c
        keys = (rows.month, rows.currency, rows.state)
        sums = (sa.func.count(), sa.func.sum(rows.total_minor))
        within = sa.and_(rows.month.between(first, last), _is_live())
        query = sa.select(*keys, *sums).where(within).group_by(*keys).order_by(*keys)
        return [
            MonthTotal(month, currency, InvoiceState(state), count, int(minor))
            for month, currency, state, count, minor in self._all(query)
        ]

    def largest_moves(self, month: str, before: str, limit: int) -> list[Moved]:
        """Tenants whose total changed most since another month, the largest change first."""
        rows = invoices.c
        now_minor, before_minor = _sum_of(month), _sum_of(before)
        query = (
            sa.select(rows.tenant, rows.currency, before_minor, now_minor)
            .where(rows.month.in_([month, before]), _is_live())
            .group_by(rows.tenant, rows.currency)
            .having(now_minor != before_minor)
            .order_by(sa.func.abs(now_minor - before_minor).desc(), rows.tenant, rows.currency)
            .limit(limit)
        )
        return [Moved(t, c, int(was), int(now)) for t, c, was, now in self._all(query)]

    def usage_by_meter(self, month: str) -> list[MeterSum]:
        """What was taken from the warehouse, by meter."""
        rows = closed_usage.c
        sums = (sa.func.sum(rows.quantity_micro), sa.func.sum(rows.events))
        tenants = sa.func.count(sa.distinct(rows.tenant))
        query = sa.select(rows.meter, tenants, *sums).where(usage_slice(month).live_rows)
        found = self._all(query.group_by(rows.meter).order_by(rows.meter))
        return [MeterSum(meter, count, int(used), int(n)) for meter, count, used, n in found]

    def unpriced_by_meter(self, month: str) -> list[MeterSum]:
        """Usage that no invoice bills, by meter, as the month's comparison recorded it."""
        rows = reconciliations.c
        sums = (sa.func.count(), sa.func.sum(rows.unpriced_micro))
        query = sa.select(rows.meter, *sums)
        query = query.where(reconciliation_slice(month).live_rows, rows.unpriced_micro != 0)
        found = self._all(query.group_by(rows.meter).order_by(rows.meter))
        return [MeterSum(meter, tenants, int(unpriced)) for meter, tenants, unpriced in found]

    def unpriced_tenants(self, month: str, limit: int) -> list[tuple[str, str, int]]:
        """Who used most that no invoice bills: tenant, meter, 1e-6 units."""
        rows = reconciliations.c
        query = sa.select(rows.tenant, rows.meter, rows.unpriced_micro)
        query = query.where(reconciliation_slice(month).live_rows, rows.unpriced_micro != 0)
        ordered = query.order_by(sa.func.abs(rows.unpriced_micro).desc(), rows.tenant, rows.meter)
        return [(tenant, meter, unpriced) for tenant, meter, unpriced in self._all(ordered, limit)]

    def lines_by_kind(self, month: str, work: LineWork) -> list[LineSum]:
        """What one kind of work made, by kind, plan, meter and currency."""
        rows = invoice_line_drafts.c
        keys = (rows.kind, rows.plan, sa.func.coalesce(rows.meter, ""), rows.currency)
        quantity = sa.func.coalesce(sa.func.sum(rows.quantity_micro), 0)
        query = sa.select(*keys, sa.func.count(), quantity, sa.func.sum(rows.amount_minor))
        query = query.where(lines_slice(month, work).live_rows).group_by(*keys).order_by(*keys)
        return [
            LineSum(kind, plan, meter, currency, lines, int(used), int(minor))
            for kind, plan, meter, currency, lines, used, minor in self._all(query)
        ]

    def largest_invoices(self, month: str, limit: int) -> list[InvoiceRow]:
        """The invoices with the largest totals."""
        return self._invoices(invoices.c.month == month, limit)

    def held_drafts(self, month: str, limit: int) -> list[InvoiceRow]:
        """Drafts that something holds back, the largest first."""
        is_held = sa.and_(invoices.c.month == month, invoices.c.held.is_not(None))
        return self._invoices(sa.and_(is_held, invoices.c.state == "draft"), limit)

    def number_range(self, month: str) -> tuple[str, str] | None:
        """The first and the last number that the month's invoices were given."""
        number = invoices.c.number
        query = sa.select(sa.func.min(number), sa.func.max(number))
        [(first, last)] = self._all(query.where(invoices.c.month == month))
        return None if first is None else (first, last)

    def _invoices(self, which: sa.ColumnElement[bool], limit: int) -> list[InvoiceRow]:
        rows = invoices.c
        shown = (rows.tenant, rows.currency, rows.total_minor, rows.state, rows.number, rows.held)
        query = sa.select(*shown).where(which, _is_live())
        ordered = query.order_by(rows.total_minor.desc(), rows.tenant, rows.id)
        return [InvoiceRow(*row) for row in self._all(ordered, limit)]

    def _all(self, query: sa.Select[Any], limit: int | None = None) -> Sequence[Any]:
        with self._reading() as connection:
            return connection.execute(query.limit(limit)).all()


def _is_live() -> sa.ColumnElement[bool]:
    return invoices.c.state != "void"


def _sum_of(month: str) -> sa.ColumnElement[int]:
    """A group's minor units of one month alone."""
    own = sa.case((invoices.c.month == month, invoices.c.total_minor), else_=0)
    return sa.func.sum(own)
