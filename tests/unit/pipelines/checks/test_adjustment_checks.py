"""Of whomever a statement thinks nothing is wrong, nothing is: looked at one by one as well."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines.adjustments.concerned import concerned
from pipelines.adjustments.invoice import adjust
from pipelines.checks.adjustment_checks import adjustments_hold, findings_of
from pipelines.invoices.books import Books
from schemas.closing import Closing
from schemas.invoice import InvoiceLine
from schemas.subscription import Subscription
from schemas.vector import Vector
from tests.builders import OCTOBER, a_subscription
from tests.fakes import EXTRAS, FakeLedger
from tests.plan_lives import a_life
from tests.unit.pipelines.adjustments.builders import a_catalog, extras, lines_table
from tests.unit.pipelines.adjustments.strategies import Month, months

Lines = list[tuple[Subscription, list[InvoiceLine]]]


def books_of(month: Month, lines: Lines) -> Books:
    """The month's books with these lines."""
    ledger = FakeLedger(dict(month.catalogs), [each for each, _ in lines])
    ledger.has = {
        name: [tuple(row.values()) for row in getattr(month.extras, name).to_pylist()]
        for name in EXTRAS
    }
    ledger.save_closing(Closing(OCTOBER.key, Vector({(1, 0): 1}), 2, "1", 0))
    ledger.replace_lines(OCTOBER.key, "adjustments", lines_table(lines))
    return Books(OCTOBER.key, ledger)


@st.composite
def some_wrong(draw: st.DrawFn) -> tuple[Month, Lines]:
    """A month with the lines that follow, some of them changed by somebody."""
    month = draw(months())
    found: Lines = []
    for case in month.cases():
        changes = st.sampled_from((None, None, None, None, 0, 1, -1, 10**6))
        following = [_changed(line, draw(changes)) for line in adjust(case)]
        found.append((case.subscription, [*case.lines, *following]))
    return month, sorted(found, key=lambda pair: (pair[0].tenant, pair[0].id))


def _changed(line: InvoiceLine, by: int | None) -> InvoiceLine:
    """The amount alone, or a tax with it; by nothing, what it was computed from."""
    if by is None:
        return line
    if by == 0:
        return replace(line, base_minor=(line.base_minor or 0) * 2)
    if line.kind == "tax" and by > 1:
        return replace(line, amount_minor=line.amount_minor + by)
    tax_minor = None if line.tax_minor is None else line.tax_minor + by
    return replace(line, amount_minor=line.amount_minor + by, tax_minor=tax_minor)


@settings(max_examples=30, suppress_health_check=[HealthCheck.too_slow])
@given(some_wrong())
def test_all_that_is_wrong_is_found(found: tuple[Month, Lines]) -> None:
    month, lines = found
    books = books_of(month, lines)
    names = set(concerned(books.segments, books.offered)["subscription"].to_pylist())
    wrong = [
        f"{subscription.tenant}: {finding}"
        for subscription, own in lines
        if subscription.id in names
        for finding in findings_of(subscription, own, books)
    ]
    assert adjustments_hold(books) == wrong


FEE = InvoiceLine("base_fee", "pro", OCTOBER, 1000)
VAT = InvoiceLine(
    "tax", "pro", OCTOBER, 190, product="fees", name="VAT", rate_ppm=190_000, base_minor=1000,
    tax_minor=190,
)  # fmt: skip
OFF = InvoiceLine("discount", "pro", OCTOBER, -100, product="fees", name="X", base_minor=1000)
GIFT = InvoiceLine("credit_applied", "pro", OCTOBER, -50, name="gift", base_minor=50)


@pytest.mark.parametrize(
    ("terms", "line", "finding"),
    [
        ({}, replace(OFF, amount_minor=-1001), "a discount of 1001 is on 1000 of fees"),
        ({}, replace(GIFT, amount_minor=-51), "credit gift of 50 pays 51"),
        ({}, replace(VAT, amount_minor=191, tax_minor=191), "VAT on 1000 is 191, not its 190000"),
        ({}, replace(VAT, amount_minor=191), "VAT adds 191 but is 190"),
        ({}, replace(VAT, amount_minor=0, tax_minor=1001), "VAT within 1000 is 1001"),
        ({"minimum": {"USD": "20"}}, VAT, "fees and usage come to 1000, less than the minimum"),
        ({}, OFF, None),
        ({}, GIFT, None),
        ({}, VAT, None),
    ],
)
def test_each_kind_of_fault_is_found_by_itself(
    terms: dict[str, Any], line: InvoiceLine, finding: str | None
) -> None:
    acme = a_subscription("pro 09-01", "acme")
    taxes = [{"name": "VAT", "country": "DE", "rate": "19%"}]
    sold = a_catalog({"pro": terms}, ("USD",), taxes=taxes)
    has = extras(buyers=[("acme", "DE", None, None)])
    lines: Lines = [(acme, [FEE, line])]
    found = adjustments_hold(books_of(Month({1: sold, 2: sold}, lines, has), lines))
    assert len(found) == (finding is not None)
    assert all(finding is not None and finding in each for each in found)


def test_what_is_left_of_a_year_is_no_fee_that_a_minimum_counts() -> None:
    """The year ended at the month's start: its refund stands beside a fee and a minimum."""
    plans: dict[str, dict[str, Any]] = {
        "pro": {"base_fee": {"USD": "31"}, "minimum": {"USD": "100"}},
        "team": {"base_fee_yearly": {"USD": "365"}},
    }
    lines: Lines = []
    for tenant, before in (("acme", "pro"), ("bolt", "team")):
        year_ago = a_life(f"{before}/year 09-01, pro 10-01", tenant=tenant)
        refund = InvoiceLine("proration_credit", before, OCTOBER, -33_500, fee_minor=36_500)
        fee = InvoiceLine("base_fee", "pro", OCTOBER, 3_100, fee_minor=3_100)
        raised = InvoiceLine("minimum", "pro", OCTOBER, 6_900, base_minor=10_000)
        lines.append((year_ago, [refund, fee, raised]))
    sold = a_catalog(plans, ("USD",))
    assert adjustments_hold(books_of(Month({1: sold, 2: sold}, lines, extras()), lines)) == []
