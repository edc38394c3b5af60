"""Tiers in an explanation: worked out beneath their line, and adding up to it for any invoice."""

import re

from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.rating.proration import prorate_fees
from pipelines.rating.rating import rate_usage
from schemas.catalog import Catalog
from schemas.money import format_minor
from tests.billing import Bill, explained, usage_of
from tests.builders import OCTOBER, a_subscription
from tests.cases import shipped
from tests.strategies import catalogs, subscriptions
from tests.strategies import usage_of as any_usage

PRO = """\
overage           Pro, October: 51 images, 4.00
                    2 packages of 50 are begun: 2 × 2 = 4
                    together 4 → 4.00
"""
TOKENS = """\
overage           Pro, October: 12,000,000 tokens, 34.00
                    from 0 to 10,000,000: 10,000,000 × 0.000003 = 30
                    beyond 10,000,000: 2,000,000 × 0.000002 = 4
                    together 34 → 34.00
"""


def test_packages_and_tiers_are_worked_out_beneath_their_line() -> None:
    bill = Bill(
        {1: shipped("features")},
        a_subscription("pro 09-01"),
        usage_of("images 251, tokens 14,000,000"),
    )
    text = explained(bill, bill.lines())
    assert PRO in text
    assert TOKENS in text
    assert text.endswith("every line agrees.\n")


@settings(max_examples=40)
@given(st.data())
def test_steps_of_any_invoice_add_up_to_its_lines(data: st.DataObject) -> None:
    subscription = data.draw(subscriptions())
    catalog: Catalog = data.draw(catalogs())
    bill = Bill({1: catalog}, subscription, data.draw(any_usage(subscription)))
    lines = prorate_fees(subscription, OCTOBER, bill.catalogs)
    lines += rate_usage(subscription, OCTOBER, bill.catalogs, bill.usage)
    text = explained(bill, tuple(lines))
    tiered = [x for x in lines if x.kind == "overage" and x.unit_price_pico is None]
    told = re.findall(r"^ +together .* → (.*)$", text, re.M)
    amounts = [format_minor(x.amount_minor, subscription.currency) for x in tiered]
    assert told == [amount.replace("-", "−") for amount in amounts]
