"""docs/pricing.md: each example is billed by both engines, and its arithmetic computed."""

import pytest

from tests.billing import label
from tests.cases import bill_of, cards_of, whole_plans
from tests.pages import Example, examples, minor, rounded

EXAMPLES = examples("pricing.md")


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda each: each.rows[-2][0])
def test_an_example_is_billed_as_its_table_says_and_its_arithmetic_is_right(
    example: Example,
) -> None:
    bill = bill_of(example.given)
    currency = bill.subscription.currency
    lines = bill.lines()
    *rows, (_, _, total) = example.rows
    assert [(label(line), line.amount_minor) for line in lines] == [
        (name, minor(amount, currency)) for name, _, amount in rows
    ]
    assert sum(line.amount_minor for line in lines) == minor(total, currency)
    assert [rounded(how, currency) for _, how, _ in rows] == [it.amount_minor for it in lines]


def test_the_page_has_every_price_model_and_every_kind_of_line() -> None:
    given = [example.given for example in EXAMPLES]
    cards = [
        card for each in given for plan in whole_plans(each).values() for _, card in cards_of(plan)
    ]
    models = {it.get("overage", {}).get("model", "per_unit") for it in cards if "overage" in it}
    assert models == {"per_unit", "package", "graduated", "volume", "percentage", "matrix"}
    kinds = {row[0].partition(" ")[0] for example in EXAMPLES for row in example.rows[:-1]}
    assert kinds == {
        "base_fee", "proration_credit", "proration_charge", "included", "overage", "not_billed",
        "add_on", "item", "maximum", "minimum", "discount", "tax", "credit_applied",
    }  # fmt: skip
