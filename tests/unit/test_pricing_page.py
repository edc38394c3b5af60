"""docs/pricing.md: each example is billed by both engines, and its arithmetic computed."""

import json
from typing import Any

import pytest

from schemas.catalog import Catalog
from schemas.invoice import Invoice, InvoiceLine
from tests.billing import label, usage_of
from tests.builders import a_subscription, at
from tests.cases import bill_of, cards_of, catalog_of, whole_plans
from tests.fake_warehouse import Used
from tests.fakes import FakeLedger
from tests.pages import Example, examples, minor, rounded
from tests.unit.pipelines.corrections.test_late_usage import World

ALL = examples("pricing.md")
EXAMPLES = [each for each in ALL if "late" not in each.given]
LATE = [each for each in ALL if "late" in each.given]


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda each: each.rows[-2][0])
def test_an_example_is_billed_as_its_table_says_and_its_arithmetic_is_right(
    example: Example,
) -> None:
    bill = bill_of(example.given)
    holds(example, bill.lines(), bill.subscription.currency)


@pytest.mark.parametrize("example", LATE, ids=lambda each: str(each.given["late_usage"]))
def test_late_usage_is_corrected_where_the_policy_says(example: Example) -> None:
    documents = november_of(example.given)
    holds(example, tuple(line for each in documents for line in each.lines), "USD")
    is_note = example.given["late_usage"].get("corrected_by") == "note"
    assert [each.kind for each in documents] == ["invoice", "note"][: 1 + is_note]


def november_of(given: dict[str, Any]) -> list[Invoice]:
    """November's documents, when late usage of October comes after October was closed."""
    body = json.loads(catalog_of(given).model_dump_json()) | {"late_usage": given["late_usage"]}
    catalog = Catalog.model_validate_json(json.dumps(body))
    world = World(FakeLedger({1: catalog}, [a_subscription("pro 09-01")]))
    for name, month in (("usage", "2026-10"), ("late", "2026-11")):
        for (meter, _, _), micro in usage_of(given[name]).items():
            offset = len(world.events)
            world.events.append(Used("acme", meter, at("10-20"), micro, offset=offset))
        world.close(month)
    return world.ledger.invoices("2026-11")


def holds(example: Example, lines: tuple[InvoiceLine, ...], currency: str) -> None:
    """The lines are those of the example's table, and each amount is what its arithmetic says."""
    *rows, (_, _, total) = example.rows
    assert [(label(line), line.amount_minor) for line in lines] == [
        (name, minor(amount, currency)) for name, _, amount in rows
    ]
    assert sum(line.amount_minor for line in lines) == minor(total, currency)
    assert [rounded(how, currency) for _, how, _ in rows] == [it.amount_minor for it in lines]


def test_the_page_has_every_price_model_and_every_kind_of_line() -> None:
    given = [example.given for example in ALL]
    cards = [
        card for each in given for plan in whole_plans(each).values() for _, card in cards_of(plan)
    ]
    models = {it.get("overage", {}).get("model", "per_unit") for it in cards if "overage" in it}
    assert models == {"per_unit", "package", "graduated", "volume", "percentage", "matrix"}
    kinds = {row[0].partition(" ")[0] for example in ALL for row in example.rows[:-1]}
    assert kinds == {
        "base_fee", "proration_credit", "proration_charge", "included", "overage", "not_billed",
        "add_on", "item", "maximum", "minimum", "discount", "tax", "credit_applied", "correction",
    }  # fmt: skip
