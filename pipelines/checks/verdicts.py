"""Every check of a month's close by its name, with its verdict, as the month's records say it.

Names are those under which Dagster shows them. What cannot be asked again, the counters as they
were, is told from what the close recorded; checks that look at other months or at what is now are
not among them.
"""

from collections.abc import Callable, Iterator, Sequence

import pyarrow.compute as pc

from pipelines.checks import checks, invoice_checks, leakage, month_ways
from pipelines.checks.adjustment_checks import adjustments_hold
from pipelines.checks.reconciliation import rows_of_table
from pipelines.invoices.books import Books
from schemas.bundle import Severity, Verdict
from schemas.errors import NotFound
from schemas.quantity import format_micro
from schemas.repeats import RepeatedIds

Check = Callable[[Books], Sequence[object]]


def period_is_complete(books: Books) -> list[str]:
    """Everything before the cut had landed: without that `opening` does not open a month."""
    _ = books.closing
    return []


def counters_match_warehouse(books: Books) -> list[str]:
    """Each counter of a billing period is what the warehouse has, as the close compared them."""
    reason = books.closing.without_counters
    if reason is not None:
        return [f"counters were not compared: {reason}"]
    rows = books.compared
    due = pc.add(rows["warehouse_micro"], rows["beyond_window_micro"])
    differing = rows.filter(pc.fill_null(pc.not_equal(rows["counter_micro"], due), False))
    return [
        f"{row.tenant}, {row.meter}: the counter says {format_micro(row.counter_micro or 0)}, the"
        f" warehouse {format_micro(row.warehouse_micro)} and"
        f" {format_micro(row.beyond_window_micro)} in late repeats"
        for row in rows_of_table(differing)
    ]


def three_figures_agree(books: Books) -> list[str]:
    """Counter, warehouse and invoice as of the cut: nothing is lost between them."""
    return [month_ways.in_words(row) for row in month_ways.as_recorded(books) if row.lost_micro]


GATES: dict[str, Check] = {
    "period_is_complete": period_is_complete,
    "counters_match_warehouse": counters_match_warehouse,
    "charges_match_usage": checks.charges_match_usage,
    "lines_sum_to_totals": invoice_checks.lines_sum_to_totals,
    "adjustments_hold": adjustments_hold,
    "one_invoice_per_subscription": invoice_checks.one_invoice_per_subscription,
}
"""What stops a month or holds a tenant."""

WARNINGS: dict[str, Check] = {
    "three_figures_agree": three_figures_agree,
    "usage_has_a_subscription": leakage.usage_without_subscription,
    "usage_has_a_price": leakage.unpriced_usage,
    "items_have_an_invoice": leakage.items_without_invoice,
}
"""What is worth a look."""


def verdicts(books: Books, repeated: Sequence[RepeatedIds]) -> Iterator[tuple[str, Verdict]]:
    """Each check with its verdict; `repeated` are the month's ids that came in two months."""
    for name, check in GATES.items():
        yield name, _verdict(books, check, "gate")
    for name, check in WARNINGS.items():
        yield name, _verdict(books, check, "warning")
    yield "ids_stay_in_one_month", verdict([told(books.month, it) for it in repeated], "warning")


def verdict(findings: Sequence[object], severity: Severity) -> Verdict:
    """Of a check that ran: without findings it passed."""
    return Verdict(severity, not findings, tuple(map(str, findings)))


def told(month: str, its: RepeatedIds) -> str:
    """A tenant's ids of two months in words."""
    ids = "1 id" if its.ids == 1 else f"{its.ids:,} ids"
    return (
        f"{its.tenant}: {ids} of {month} came in {its.other_month} too, like {its.source} {its.id}"
    )


def _verdict(books: Books, check: Check, severity: Severity) -> Verdict:
    try:
        return verdict(check(books), severity)
    except NotFound as reason:  # drafts that were not compared yet
        return Verdict(severity, None, (str(reason),))
