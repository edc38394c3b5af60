"""The numbers of invoices: a series for each seller and month, without a gap.

Owns the table `number_series`. A number is given in the transaction that finalizes its invoice.
"""

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
import sqlalchemy as sa
from numpy.typing import NDArray

from schemas.invoice import InvoiceState
from stores.ledger.columns import read_batches
from stores.ledger.invoices.drafts import IS_DRAFT
from stores.ledger.part import upsert
from stores.ledger.tables.invoice_tables import invoices, number_series

_DIGITS = 6


def last_number(connection: sa.Connection, month: str, seller: str) -> int:
    """The last number that was given in the series, which is locked; 0 before the first."""
    series = sa.select(number_series.c.last).where(_series(month, seller)).with_for_update()
    return connection.execute(series).scalar() or 0


def _series(month: str, seller: str) -> sa.ColumnElement[bool]:
    return sa.and_(number_series.c.seller == seller, number_series.c.month == month)


def number(
    connection: sa.Connection,
    month: str,
    seller: str,
    passing: sa.ColumnElement[bool],
    last: int,
    dates: tuple[int, int],
) -> int:
    """Finalize the month's drafts that pass, numbered after `last` in their order; how many."""
    order = (invoices.c.tenant, invoices.c.subscription, invoices.c.kind, invoices.c.id)
    drafts = sa.select(invoices.c.serial).where(invoices.c.month == month, IS_DRAFT, passing)
    # Who replaces drafts meanwhile waits, so that each has its number and none is left out.
    locked = drafts.order_by(*order).with_for_update(of=invoices)
    batches = read_batches(connection, locked, {"serial": "int64"})
    serials = np.concatenate([np.empty(0, np.int64), *(each["serial"] for each in batches)])
    if len(serials):
        numbered = _finalized(month, seller, dates)
        connection.execute(numbered, list(_stretches(serials, last + 1)))
    return len(serials)


def _stretches(serials: NDArray[np.int64], number: int) -> Iterator[dict[str, int]]:
    """The serials, in the order of their numbers, as stretches in which both rise by one.

    Drafts are stored in that order: where all pass, it is one.
    """
    cuts = np.flatnonzero(np.diff(serials) != 1) + 1
    for start, end in pairwise([0, *cuts.tolist(), len(serials)]):
        first, final = int(serials[start]), int(serials[end - 1])
        yield {"first": first, "final": final, "ahead": number + start - first}


def _finalized(month: str, seller: str, dates: tuple[int, int]) -> sa.Update:
    """Finalizes a stretch of serials, whose numbers are `ahead` of them."""
    issued_ms, due_ms = dates
    free = invoices.c.total_minor <= 0
    settled = sa.case((free, InvoiceState.PAID.value), else_=InvoiceState.FINALIZED.value)
    ahead = sa.bindparam("ahead", type_=sa.BigInteger)
    within = invoices.c.serial.between(sa.bindparam("first"), sa.bindparam("final"))
    return (
        sa.update(invoices)
        .where(within)
        .values(
            state=settled,
            seller=seller,
            number=sa.literal(f"{month}-") + _padded(invoices.c.serial + ahead),
            issued_ms=issued_ms,
            due_ms=due_ms,
            version=invoices.c.version + 1,
        )
    )


def _padded(number: sa.ColumnElement[int]) -> sa.ColumnElement[str]:
    """1 → "000001"; a number of seven digits keeps them."""
    text = sa.cast(number, sa.Text)
    padded = sa.func.substr(sa.cast(number + 10**_DIGITS, sa.Text), 2)
    return sa.case((number < 10**_DIGITS, padded), else_=text)


def after_numbering(connection: sa.Connection, month: str, seller: str, last: int) -> None:
    """Remember the last number that was given in a series."""
    put = upsert(connection, number_series).values(seller=seller, month=month, last=last)
    connection.execute(
        put.on_conflict_do_update(index_elements=["seller", "month"], set_={"last": last})
    )


def numbered(month: str, ordinal: int) -> str:
    """An invoice's number: "2026-10-000001"; one of seven digits keeps them."""
    return f"{month}-{ordinal:0{_DIGITS}d}"
