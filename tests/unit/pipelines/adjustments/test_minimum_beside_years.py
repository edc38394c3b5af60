"""A minimum counts what is paid by the month alone: a year that begins or is given back beside it
neither fills it nor is eaten by it."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.adjustments.buckets import filled
from pipelines.adjustments.case import Case
from pipelines.adjustments.limits import minimum
from schemas.invoice import InvoiceLine
from schemas.money import divide_half_away
from tests.billing import Bill
from tests.builders import OCTOBER
from tests.plan_lives import a_life
from tests.unit.pipelines.adjustments.builders import a_catalog

PRO = {
    "base_fee": {"USD": "31.00"},
    "base_fee_yearly": {"USD": "365.00"},
    "minimum": {"USD": "100.00"},
}
CATALOGS = {1: a_catalog({"pro": PRO, "team": PRO | {"minimum": {}}}, ["USD"])}


@pytest.mark.parametrize(
    ("life", "lines"),
    [
        # 335 days of the year come back as the period begins, and the month is one by itself
        ("pro/year 09-01, pro 10-01",
         [("proration_credit", -33_500), ("base_fee", 3_100), ("minimum", 6_900)]),
        ("team/year 09-01, pro 10-01",
         [("proration_credit", -33_500), ("base_fee", 3_100), ("minimum", 6_900)]),
        # ten days by the month: 31.00 less 21.00 of the 32.26 that are their share of 100.00
        ("pro 09-01, pro/year 10-11",
         [("base_fee", 3_100), ("proration_credit", -2_100), ("proration_charge", 35_500),
          ("minimum", 2_226)]),
        ("pro/year 10-01", [("base_fee", 36_500)]),
    ],
)  # fmt: skip
def test_a_year_counts_towards_no_minimum(life: str, lines: list[tuple[str, int]]) -> None:
    bill = Bill(CATALOGS, a_life(life))
    assert [(line.kind, line.amount_minor) for line in bill.lines()] == lines


@settings(max_examples=8)
@given(st.integers(1, 31))
def test_on_whichever_day_a_year_ends_the_days_by_the_month_have_their_share(day: int) -> None:
    found = Bill(CATALOGS, a_life(f"pro/year 09-01, pro 10-{day:02}")).lines()
    share = divide_half_away(10_000 * (32 - day), 31)
    assert [line.amount_minor for line in found if line.kind == "minimum"] == [
        share - 100 * (32 - day)
    ]


amounts = st.integers(-(10**6), 10**6)


@given(amounts, amounts)
def test_whatever_a_year_costs_or_gives_back_the_minimum_stays(fee: int, refund: int) -> None:
    subscription = a_life("pro/year 09-01, pro 10-11")
    by_the_year, by_the_month = (part for _, part in subscription.parts(OCTOBER))
    charge = InvoiceLine("proration_charge", "pro", by_the_month, 2_100)
    lines = [
        InvoiceLine("base_fee", "pro", by_the_year, fee),
        InvoiceLine("proration_credit", "pro", by_the_month, refund),
        charge,
    ]
    [raised], _ = minimum(Case(subscription, OCTOBER, CATALOGS, lines), filled(lines))
    assert raised.amount_minor == 6_774 - 2_100
