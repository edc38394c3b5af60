"""A month at a glance: sums and the few rows that a person looks at, computed by the database.

Owns reads for display alone; nothing is decided by them, and no invoice is loaded for them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import sqlalchemy as sa

from schemas.invoice import InvoiceState, MonthTotal
from schemas.ledger_ports import LineWork
from stores.ledger.columns import arrow_schema
from stores.ledger.invoices.review import why_held
from stores.ledger.months.column_slices import ColumnSlice
from stores.ledger.months.month_slices import lines_slice, usage_slice
from stores.ledger.part import LedgerPart
from stores.ledger.tables.invoice_tables import chosen, invoices
from stores.ledger.tables.payment_tables import payment_attempts


@dataclass(frozen=True, slots=True)
class Moved:
    """What a tenant is billed in a month and in the one before it, in minor units.

    New is who had no invoice before, not even one of 0.
    """

    tenant: str
    currency: str
    before_minor: int
    now_minor: int
    is_new: bool


@dataclass(frozen=True, slots=True)
class MeterSum:
    """A meter's usage in a month; quantities in 1e-6 units."""

    meter: str
    tenants: int
    quantity_micro: int
    events: int


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
    id: str
    month: str
    issued_ms: int | None
    due_ms: int | None
    reversed_minor: int = 0


@dataclass(frozen=True, slots=True)
class FailedPayment:
    """An invoice whose last attempt has failed: why, when, and how many there were."""

    tenant: str
    currency: str
    amount_minor: int
    provider: str
    failure: str | None
    attempts: int
    last_ms: int


class Overviews(LedgerPart):
    """Reads of the tables of invoices and of what they are made from."""

    def month_totals(self, first: str, last: str) -> list[MonthTotal]:
        """What months from the first to the last come to, by month, currency and state."""
        rows = invoices.c
        keys = (rows.month, rows.currency, rows.state)
        sums = (sa.func.count(), sa.func.sum(rows.total_minor))
        # No BETWEEN: Postgres does not read the collation that is said of its second text.
        within = sa.and_(rows.month >= first, rows.month <= last, _is_live())
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
            sa.select(rows.tenant, rows.currency, before_minor, now_minor, sa.func.min(rows.month))
            .where(rows.month.in_([month, before]), _is_live())
            .group_by(rows.tenant, rows.currency)
            .having(now_minor != before_minor)
            .order_by(sa.func.abs(now_minor - before_minor).desc(), rows.tenant, rows.currency)
            .limit(limit)
        )
        return [
            Moved(tenant, currency, int(was), int(now), is_new=first == month)
            for tenant, currency, was, now, first in self._all(query)
        ]

    def usage_by_meter(self, month: str) -> list[MeterSum]:
        """What was taken from the warehouse, by meter."""
        rows = self._columns(usage_slice(month), "tenant", "meter", "quantity_micro", "events")
        counted = rows.group_by("meter").aggregate([("tenant", "count_distinct")])
        tenants = {each["meter"]: each["tenant_count_distinct"] for each in counted.to_pylist()}
        sums = _sums(rows, ["meter"], ["quantity_micro", "events"])
        return [MeterSum(meter, tenants[meter], used, n) for (meter,), (used, n), _ in sums]

    def lines_by_kind(self, month: str, work: LineWork) -> list[LineSum]:
        """What one kind of work made, by kind, plan, meter and currency."""
        keys, sums = ["kind", "plan", "meter", "currency"], ["quantity_micro", "amount_minor"]
        rows = self._columns(lines_slice(month, work), *keys, *sums)
        for name, nothing in (("meter", ""), ("quantity_micro", 0)):
            place = rows.column_names.index(name)
            rows = rows.set_column(place, name, pc.fill_null(rows[name], nothing))
        return [
            LineSum(kind, plan, meter, currency, lines, used, minor)
            for (kind, plan, meter, currency), (used, minor), lines in _sums(rows, keys, sums)
        ]

    def _columns(self, slice_: ColumnSlice, *names: str) -> pa.Table:
        with self._reading() as connection:
            batches = [batch.select(list(names)) for batch in slice_.read(connection)]
        schema = arrow_schema({name: slice_.columns[name] for name in names})
        return pa.Table.from_batches(batches, schema)

    def largest_invoices(self, month: str, limit: int) -> list[InvoiceRow]:
        """The invoices with the largest totals."""
        return self._invoices(invoices.c.month == month, limit)

    def listed_invoices(
        self,
        month: str | None = None,
        states: Sequence[InvoiceState] = (),
        tenant: str | None = None,
    ) -> list[InvoiceRow]:
        """Invoices and notes, void ones too unless states are named, by month and tenant."""
        its = invoices.c
        query = _rows().where(chosen(month, states, tenant))
        order = (its.month, its.tenant, its.subscription, its.kind, its.id)
        return [InvoiceRow(*row) for row in self._all(query.order_by(*order))]

    def invoices_by_state(self, month: str) -> dict[str, int]:
        """How many of the month's invoices are in which state, void ones too."""
        state = invoices.c.state
        query = sa.select(state, sa.func.count()).where(invoices.c.month == month)
        return dict(self._all(query.group_by(state).order_by(state)))

    def first_issued_ms(self, month: str) -> int | None:
        """When the first of the month's invoices was issued; None before that."""
        query = sa.select(sa.func.min(invoices.c.issued_ms)).where(invoices.c.month == month)
        [(issued_ms,)] = self._all(query)
        return None if issued_ms is None else int(issued_ms)

    def held_drafts(self, month: str, limit: int | None = None) -> list[InvoiceRow]:
        """Drafts that something holds back, or nobody has approved, the largest first."""
        is_held = sa.and_(invoices.c.month == month, why_held().is_not(None))
        return self._invoices(sa.and_(is_held, invoices.c.state == "draft"), limit)

    def failed_payments(self, month: str, limit: int) -> list[FailedPayment]:
        """Who did not pay, the largest amounts first; who has paid since is none of them."""
        its, earlier = payment_attempts.c, payment_attempts.alias().c
        last = sa.select(sa.func.max(earlier.ordinal)).where(earlier.invoice == its.invoice)
        columns = (its.tenant, its.currency, its.amount_minor, its.provider, its.failure)
        query = (
            sa.select(*columns, its.ordinal, its.changed_ms)
            .join_from(payment_attempts, invoices)
            .where(invoices.c.month == month, its.state.in_(["failed", "canceled"]))
            .where(its.ordinal == last.scalar_subquery())
            .order_by(its.amount_minor.desc(), its.tenant, its.id)
        )
        return [FailedPayment(*row) for row in self._all(query, limit)]

    def number_range(self, month: str) -> tuple[str, str] | None:
        """The first and the last number that the month's invoices were given."""
        number, digits = invoices.c.number, sa.func.length(invoices.c.number)
        ends = sa.select(sa.func.min(number), sa.func.max(number))
        own = ends.where(invoices.c.month == month, number.is_not(None))
        found = self._all(own.group_by(digits).order_by(digits))  # 7 digits come after 6
        return (found[0][0], found[-1][1]) if found else None

    def _invoices(self, which: sa.ColumnElement[bool], limit: int | None) -> list[InvoiceRow]:
        rows = invoices.c
        query = _rows().where(which, _is_live())
        ordered = query.order_by(rows.total_minor.desc(), rows.tenant, rows.id)
        return [InvoiceRow(*row) for row in self._all(ordered, limit)]

    def _all(self, query: sa.Select[Any], limit: int | None = None) -> Sequence[Any]:
        with self._reading() as connection:
            return connection.execute(query.limit(limit)).all()


def _rows() -> sa.Select[Any]:
    """Of invoices what an `InvoiceRow` has."""
    columns = {field.name: invoices.c[field.name] for field in fields(InvoiceRow)}
    told = columns | {"held": why_held().label("held")}
    return sa.select(*told.values())


def _is_live() -> sa.ColumnElement[bool]:
    return invoices.c.state != "void"


def _sum_of(month: str) -> sa.ColumnElement[int]:
    """A group's minor units of one month alone."""
    own = sa.case((invoices.c.month == month, invoices.c.total_minor), else_=0)
    return sa.func.sum(own)


def _sums(
    rows: pa.Table, keys: list[str], summed: list[str]
) -> list[tuple[tuple[str, ...], list[int], int]]:
    """By the keys, in order: the sums, which may be beyond 64 bits, and how many rows."""
    for name in summed:
        exact = rows[name].cast(pa.decimal128(19))
        rows = rows.set_column(rows.column_names.index(name), name, exact)
    wanted = [*((name, "sum") for name in summed), ([], "count_all")]
    found = rows.group_by(keys).aggregate(wanted).sort_by([(key, "ascending") for key in keys])
    return [
        (
            tuple(row[key] for key in keys),
            [int(row[f"{name}_sum"]) for name in summed],
            row["count_all"],
        )
        for row in found.to_pylist()
    ]
