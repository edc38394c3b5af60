"""Add-ons over months, pauses and leap years; coupons over whole billing periods."""

from dataclasses import replace

import pytest

from pipelines.adjustments.bookings import booked_lines
from pipelines.adjustments.case import Case
from pipelines.adjustments.coupons import ends_of
from schemas.extras import BookedAddOn, Given
from schemas.offers import Coupon
from schemas.period import BillingPeriod, parse_instant
from schemas.subscription import GOOD_CARD, Phase, PlanSegment, Subscription
from tests.unit.pipelines.adjustments.builders import a_catalog

FEES = {
    "seats": {"fee": {"USD": "31"}},
    "audit": {"fee": {"USD": "600"}, "interval": "year"},
}
CATALOGS = {1: a_catalog({"pro": {}}, ["USD"], add_ons=FEES)}


def day(text: str) -> int:
    return parse_instant(f"{text}T00:00:00Z")


def a_life(*phases: tuple[Phase, str], anchor_day: int = 1) -> Subscription:
    """Phases with their first days; each ends where the next begins."""
    starts = [day(first) for _, first in phases]
    ends: list[int | None] = [*starts[1:], None]
    segments = tuple(
        PlanSegment("pro", 1, start, end, phase=phase)
        for (phase, _), start, end in zip(phases, starts, ends, strict=True)
    )
    return Subscription("sub_acme", "acme", "USD", GOOD_CARD, segments, anchor_day)


PAID = a_life(("active", "2020-01-01"))


def charged(subscription: Subscription, month: str, *booked: BookedAddOn) -> list[tuple[str, int]]:
    """First days and amounts of the add-ons' lines of a month."""
    case = Case(subscription, BillingPeriod.month(month), CATALOGS, given=Given(add_ons=booked))
    lines = booked_lines(case)
    return [(_day(line.period.start_ms), line.amount_minor) for line in lines]


def _day(instant_ms: int) -> str:
    month = BillingPeriod.month_of(instant_ms)
    return f"{month.key}-{(instant_ms - month.start_ms) // 86_400_000 + 1:02}"


def an_add_on(name: str, starts: str, ends: str | None = None, quantity: int = 1) -> BookedAddOn:
    return BookedAddOn("acme", name, name, 1, quantity, day(starts), day(ends) if ends else None)


@pytest.mark.parametrize(
    ("starts", "ends", "phases", "lines"),
    [
        ("2026-01-01", None, [("active", "2020-01-01")], [("2026-10-01", 3100)]),
        ("2026-10-11", "2026-10-13", [("active", "2020-01-01")], [("2026-10-11", 200)]),
        ("2026-11-01", None, [("active", "2020-01-01")], []),
        ("2026-09-01", "2026-10-01", [("active", "2020-01-01")], []),
        ("2026-01-01", None, [("active", "2020-01-01"), ("paused", "2026-10-11")],
         [("2026-10-01", 1000)]),
        ("2026-01-01", None, [("trial", "2026-10-01"), ("active", "2026-10-30")],
         [("2026-10-30", 200)]),
        ("2026-01-01", None,
         [("active", "2020-01-01"), ("paused", "2026-10-02"), ("active", "2026-10-31")],
         [("2026-10-01", 200)]),
        ("2026-01-01", None, [("paused", "2020-01-01")], []),
    ],
)  # fmt: skip
def test_a_monthly_add_on_costs_while_a_plan_is_paid_for(
    starts: str, ends: str | None, phases: list[tuple[Phase, str]], lines: list[tuple[str, int]]
) -> None:
    assert charged(a_life(*phases), "2026-10", an_add_on("seats", starts, ends)) == lines


def test_so_many_of_an_add_on_are_rounded_as_one() -> None:
    booked = an_add_on("seats", "2026-10-31", quantity=7)
    assert charged(PAID, "2026-10", booked) == [("2026-10-31", 700)]


@pytest.mark.parametrize(
    ("starts", "ends", "month", "lines"),
    [
        ("2026-10-11", None, "2026-10", [("2026-10-11", 60_000)]),
        ("2026-10-11", None, "2026-11", []),
        ("2026-10-11", None, "2027-10", [("2027-10-11", 60_000)]),
        ("2026-10-11", None, "2031-10", [("2031-10-11", 60_000)]),
        ("2026-10-11", "2027-10-11", "2027-10", []),
        ("2026-10-31", None, "2026-10", [("2026-10-31", 60_000)]),
        ("2026-12-31", None, "2027-12", [("2027-12-31", 60_000)]),
        ("2028-02-29", None, "2029-02", [("2029-02-28", 60_000)]),
        ("2028-02-29", None, "2032-02", [("2032-02-29", 60_000)]),
    ],
)
def test_a_yearly_add_on_costs_when_a_year_of_it_begins(
    starts: str, ends: str | None, month: str, lines: list[tuple[str, int]]
) -> None:
    assert charged(PAID, month, an_add_on("audit", starts, ends)) == lines


@pytest.mark.parametrize(
    ("month", "lines"),
    [
        ("2026-10", []),
        ("2026-12", [("2026-12-24", 60_000)]),
        ("2027-10", [("2027-10-11", 60_000)]),
    ],
)
def test_a_year_waits_until_a_plan_is_paid_for(month: str, lines: list[tuple[str, int]]) -> None:
    life = a_life(("active", "2020-01-01"), ("paused", "2026-10-01"), ("active", "2026-12-24"))
    assert charged(life, month, an_add_on("audit", "2026-10-11")) == lines


def test_two_years_may_fall_due_in_one_month() -> None:
    life = a_life(("active", "2020-01-01"), ("paused", "2026-10-01"), ("active", "2027-10-05"))
    due = [("2027-10-05", 60_000), ("2027-10-11", 60_000)]
    assert charged(life, "2027-10", an_add_on("audit", "2026-10-11")) == due


@pytest.mark.parametrize(
    ("lasts", "redeemed", "anchor_day", "ends"),
    [
        ("once", "2026-10-05", 1, "2026-11-01"),
        ("once", "2026-10-01", 1, "2026-11-01"),
        ("3 months", "2026-10-31", 1, "2027-01-01"),
        ("3 months", "2026-10-05", 15, "2026-12-15"),
        ("2 months", "2027-01-31", 31, "2027-03-31"),
        ("forever", "2026-10-05", 1, None),
    ],
)
def test_a_coupon_lasts_whole_billing_periods(
    lasts: str, redeemed: str, anchor_day: int, ends: str | None
) -> None:
    coupon = Coupon.model_validate({"percent": "20%", "lasts": lasts})
    subscription = replace(PAID, anchor_day=anchor_day)
    assert ends_of(coupon, subscription, day(redeemed)) == (day(ends) if ends else None)
