"""The words of invoice lines."""

import pytest

from pipelines.invoices.descriptions import describe, plan_title, share, span
from pipelines.rating.proration import prorate_fees
from pipelines.rating.rating import rate_usage
from schemas.invoice import InvoiceLine
from schemas.period import BillingPeriod
from tests.builders import OCTOBER, a_subscription, at, llm_tokens, used
from tests.plan_lives import when


def described(plans: str, quantities: dict[int, int]) -> list[str]:
    subscription, catalogs = a_subscription(plans), {1: llm_tokens()}
    lines = prorate_fees(subscription, OCTOBER, catalogs)
    lines += rate_usage(subscription, OCTOBER, catalogs, used(quantities))
    return [describe(line, OCTOBER, "USD") for line in lines]


def test_fees_say_plan_days_and_share() -> None:
    assert described("pro 09-01, enterprise 10-11", {}) == [
        "Pro, October 2026",
        "Pro unused, 11–31 October: 21 of 31 days of 49.99",
        "Enterprise, 11–31 October: 21 of 31 days of 199.99",
    ]


def test_usage_says_what_is_included_billed_and_not_billed() -> None:
    assert described("free 10-11, pro 10-21", {1: 500_000, 2: 500_000})[3:] == [
        "Free, 11–20 October: tokens included",
        "Free, 11–20 October: tokens beyond the included, not billed",
        "Pro, 21–31 October: tokens beyond the included, 0.000008 each",
    ]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "Pro, October: tokens beyond the included, 0.000008 each"),
        ("small", "Pro, October: tokens (small) beyond the included, 0.000008 each"),
        ("", "Pro, October: tokens (other) beyond the included, 0.000008 each"),
    ],
)
def test_a_line_names_the_value_that_its_price_depends_on(value: str | None, text: str) -> None:
    line = InvoiceLine("overage", "pro", OCTOBER, 1, "tokens", 1, 8_000_000, value=value)
    assert describe(line, OCTOBER, "USD") == text


@pytest.mark.parametrize(
    ("start", "end", "text"),
    [
        ("10-01", "11-01", "October"),
        ("10-11", "11-01", "11–31 October"),
        ("10-11", "10-12", "11 October"),
        ("10-05 12:00", "11-01", "5 October 12:00 – 31 October"),
        ("10-05", "10-05 18:30:05", "5 October – 5 October 18:30:05"),
        ("10-30", "11-03", "30 October – 2 November"),
        ("10-11", "2027-10-01", "11 October 2026 – 30 September 2027"),
        ("10-16", "2027-10-16", "16 October 2026 – 15 October 2027"),
        ("12-16", "2027-01-16 12:00", "16 December 2026 – 16 January 2027 12:00"),
    ],
)
def test_a_span_names_its_last_day_not_the_day_after(start: str, end: str, text: str) -> None:
    assert span(BillingPeriod(when(start), when(end))) == text


@pytest.mark.parametrize(
    ("start", "text"),
    [("10-11", "21 of 31 days"), ("10-11 12:00", "1,771,200 of 2,678,400 seconds")],
)
def test_a_share_is_in_days_or_else_in_seconds(start: str, text: str) -> None:
    assert share(BillingPeriod(at(start), OCTOBER.end_ms), OCTOBER) == text


def test_a_plan_is_written_as_a_title() -> None:
    assert plan_title("team_plus") == "Team plus"
