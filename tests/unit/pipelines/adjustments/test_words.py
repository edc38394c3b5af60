"""The words of adjusting lines."""

import pytest

from pipelines.invoices.descriptions import describe
from schemas.invoice import InvoiceLine
from schemas.period import BillingPeriod
from tests.builders import OCTOBER, at

LATE = BillingPeriod(at("10-11"), OCTOBER.end_ms)


@pytest.mark.parametrize(
    ("line", "text"),
    [
        (InvoiceLine("add_on", "pro", LATE, 1016, quantity_micro=3_000_000, fee_minor=1500,
                     name="extra_seats"),
         "3 × Extra seats, 11–31 October: 21 of 31 days of 15.00"),
        (InvoiceLine("add_on", "pro", OCTOBER, 500, quantity_micro=1_000_000, fee_minor=500,
                     name="seats"),
         "Seats, October"),
        (InvoiceLine("item", "pro", OCTOBER, 9900, name="Setup, 3 hours"), "Setup, 3 hours"),
        (InvoiceLine("maximum", "pro", OCTOBER, -11234, base_minor=61234),
         "Pro, usage beyond the maximum: 612.34 of usage, at most 500.00"),
        (InvoiceLine("minimum", "pro", OCTOBER, 3001, base_minor=10000),
         "Pro, up to the minimum: the minimum is 100.00"),
        (InvoiceLine("discount", "pro", OCTOBER, -1000, product="fees", name="WELCOME",
                     rate_ppm=200_000, base_minor=4999),
         "WELCOME, 20% off fees of Pro: 20% of 49.99"),
        (InvoiceLine("discount", "pro", OCTOBER, -300, product="usage", rate_ppm=125_000,
                     base_minor=2400),
         "Pro, 12.5% off usage of Pro: 12.5% of 24.00"),
        (InvoiceLine("discount", "pro", OCTOBER, -500, product="add_ons", name="FIVE",
                     base_minor=1016),
         "FIVE, off add-ons of Pro: of 10.16"),
        (InvoiceLine("tax", "pro", OCTOBER, 950, product="fees", name="VAT", rate_ppm=190_000,
                     base_minor=4999, tax_minor=950),
         "VAT 19%, on fees of Pro: 19% of 49.99"),
        (InvoiceLine("tax", "pro", OCTOBER, 0, meter="tokens", product="usage", name="VAT",
                     rate_ppm=200_000, base_minor=4999, tax_minor=833),
         "VAT 20% included, on tokens of Pro: 8.33 in 49.99"),
        (InvoiceLine("tax", "pro", OCTOBER, 0, name="VAT, reverse charge", rate_ppm=0,
                     base_minor=5155, tax_minor=0),
         "VAT, reverse charge, 0%: of 51.55"),
        (InvoiceLine("credit_applied", "pro", OCTOBER, -1999, name="pay_17", base_minor=3000),
         "Credit pay_17: 30.00 before, 10.01 left"),
    ],
)  # fmt: skip
def test_a_line_says_what_it_is_and_how_its_amount_comes_about(
    line: InvoiceLine, text: str
) -> None:
    assert describe(line, OCTOBER, "USD") == text
