"""Costs beside revenue: shared out to the cent, sorted by loss, never converted."""

import json
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.catalog.cost_file import parse_costs
from pipelines.reports.margin import MarginRow, margins, share_out
from schemas.catalog import Catalog
from schemas.costs import CostTable, ModelUse
from schemas.errors import InvalidInput
from schemas.invoice import InvoiceLine
from tests.builders import OCTOBER, a_subscription, llm_tokens, units
from tests.unit.pipelines.adjustments.builders import lines_table

COSTS = """
currency: USD
models:
  small: {input: 0.50, output: 2}
default: {input: 3, output: 15}
"""


def costs(text: str = COSTS) -> CostTable:
    return parse_costs(text, "costs.yaml")


def uses(*told: str) -> list[ModelUse]:
    """Tokens in a line: "acme small in 1000000"."""
    found = []
    for line in told:
        tenant, model, way, tokens = line.split()
        found.append(ModelUse(tenant, model, f"{way}put_tokens", units(int(tokens))))
    return found


def lines(**tenants: list[InvoiceLine]) -> pa.Table:
    return lines_table((a_subscription("pro 09-01", name), own) for name, own in tenants.items())


def fee(minor: int) -> InvoiceLine:
    return InvoiceLine("base_fee", "pro", OCTOBER, minor, fee_minor=minor)


CATALOGS = {1: llm_tokens()}


def told(rows: list[MarginRow]) -> list[tuple[str, str, int, int, int | None]]:
    return [(r.tenant, r.model, r.revenue_minor, r.cost_minor, r.margin_minor) for r in rows]


def test_revenue_is_shared_out_by_tokens_and_the_largest_loss_comes_first() -> None:
    used = uses(
        "acme small in 1000000", "acme small out 1000000", "acme large out 1000000",
        "bolt small in 100",
    )  # fmt: skip
    rows = margins(lines(acme=[fee(1000)], bolt=[fee(4999)]), used, CATALOGS, [costs()])
    assert told(rows) == [
        ("acme", "large", 333, 1500, -1167),
        ("acme", "small", 667, 250, 417),
        ("bolt", "small", 4999, 0, 4999),
    ]


def test_tax_and_credits_are_no_revenue() -> None:
    def tax(adds: int, holds: int) -> InvoiceLine:
        return InvoiceLine("tax", "pro", OCTOBER, adds, name="VAT", tax_minor=holds)

    paid = InvoiceLine("credit_applied", "pro", OCTOBER, -700, name="gift", base_minor=700)
    table = lines(outside=[fee(1000), tax(190, 190), paid], within=[fee(1190), tax(0, 190)])
    rows = margins(table, [], CATALOGS, [costs()])
    assert told(rows) == [("outside", "", 1000, 0, 1000), ("within", "", 1000, 0, 1000)]


def test_the_tax_of_late_usage_is_no_revenue_either() -> None:
    """2.00 of late usage at 20 %: 0.40 on top of it, or 0.33 within."""
    late = InvoiceLine("correction", "pro", OCTOBER, 200, "tokens", units(250_000))

    def tax(adds: int, holds: int) -> InvoiceLine:
        return InvoiceLine("correction_tax", "pro", OCTOBER, adds, name="VAT", tax_minor=holds)

    table = lines(outside=[late, tax(40, 40)], within=[late, tax(0, 33)])
    rows = margins(table, [], CATALOGS, [costs()])
    assert told(rows) == [("within", "", 167, 0, 167), ("outside", "", 200, 0, 200)]


def test_what_is_credited_is_earned_no_more_and_its_tax_neither() -> None:
    tax = InvoiceLine("tax", "pro", OCTOBER, 190, name="VAT", tax_minor=190)
    credited = InvoiceLine("credited", "pro", OCTOBER, -119, tax_minor=-19)
    rows = margins(lines(acme=[fee(1000), tax, credited]), [], CATALOGS, [costs()])
    assert told(rows) == [("acme", "", 900, 0, 900)]


def by_model() -> Catalog:
    body = json.loads(llm_tokens().model_dump_json())
    body["meters"]["tokens"]["priced_by"] = "model"
    for plan in body["plans"].values():
        plan["meters"] = {"tokens": {"included": "0"}}
    return Catalog.model_validate(body)


def test_what_a_price_by_model_earned_is_that_model_s() -> None:
    def usage(model: str, minor: int) -> InvoiceLine:
        return InvoiceLine("overage", "pro", OCTOBER, minor, "tokens", units(1), value=model)

    table = lines(acme=[fee(100), usage("small", 7), usage("large", 500)])
    used = uses("acme small in 3000", "acme large in 1000")
    rows = margins(table, used, {1: by_model()}, [costs()])
    assert sorted((r.model, r.revenue_minor) for r in rows) == [("large", 525), ("small", 82)]


def test_who_uses_without_being_billed_is_a_loss() -> None:
    rows = margins(lines(), uses("stranger large in 1000000"), CATALOGS, [costs()])
    assert told(rows) == [("stranger", "large", 0, 300, -300)]


def test_costs_in_another_currency_stand_beside_the_revenue() -> None:
    table = lines_table([(a_subscription("pro 09-01", currency="CNY"), [fee(34900)])])
    used = uses("acme small in 2000000")
    [row] = margins(table, used, CATALOGS, [costs()])
    assert (row.currency, row.cost_currency, row.cost_minor, row.margin_minor) == (
        "CNY", "USD", 100, None,
    )  # fmt: skip
    yuan = costs("{currency: CNY, models: {small: {input: 3.5, output: 14}}}")
    [row] = margins(table, used, CATALOGS, [costs(), yuan])
    assert row.margin_minor == 34900 - 700


def test_a_model_without_costs_is_named_with_the_remedy() -> None:
    table = costs("{currency: USD, models: {small: {input: 1, output: 2}}}")
    with pytest.raises(InvalidInput, match=r"do not name 'large'; add them to `models`, or"):
        margins(lines(), uses("acme large in 1"), CATALOGS, [table])


WRONG: list[tuple[str, str]] = [
    ("{currency: USD}", "costs.yaml:1:1: the cost table: models: name at least one"),
    ("{currency: XXX, default: {input: 1, output: 2}}", "1:12: currency: currency 'XXX' is not"),
    ("{currency: USD, default: {input: 1}}", "default.output: Field required"),
    ("{currency: USD, defualt: {input: 1, output: 2}}", "1:17: defualt: "),
    ("{currency: USD, default: {input: cheap, output: 2}}", "1:34: default.input: "),
]


@pytest.mark.parametrize(("text", "told"), WRONG)
def test_a_wrong_cost_file_is_told_by_its_place(text: str, told: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        costs(text)
    assert told in str(caught.value)


@given(st.integers(-(10**12), 10**12), st.dictionaries(st.text("abc"), st.integers(0, 10**15)))
def test_parts_add_up_to_the_whole_and_are_off_by_less_than_one(
    total: int, weights: dict[str, int]
) -> None:
    parts: dict[str, Any] = share_out(total, weights)
    assert sum(parts.values()) == total
    whole = sum(weights.values())
    for name in weights if whole else ():
        assert abs(parts[name] * whole - total * weights[name]) < whole
