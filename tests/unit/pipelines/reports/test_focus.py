"""Invoices as FOCUS rows: the specification's columns, and totals to the cent."""

import csv
import io
from collections import Counter
from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

import pyarrow as pa
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipelines.reports.focus import COLUMNS, SCHEMA, focus_table
from pipelines.reports.focus_text import in_text
from schemas.invoice import Invoice, InvoiceLine, InvoiceState
from schemas.money import MINOR_DIGITS
from schemas.period import from_ms
from schemas.price_terms import MAX_PICO
from schemas.quantity import MOST_MICRO
from tests.builders import OCTOBER, at
from tests.unit.pipelines.close.test_closing import MONTH
from tests.unit.pipelines.close.test_closing_adjusted import Adjusted

# The mandatory columns of the cost and usage dataset, with type and nullability.
MANDATORY = {
    "BilledCost": ("decimal", False),
    "BillingAccountId": ("string", False),
    "BillingAccountName": ("string", True),
    "BillingCurrency": ("string", False),
    "BillingPeriodEnd": ("timestamp", False),
    "BillingPeriodStart": ("timestamp", False),
    "ChargeCategory": ("string", False),
    "ChargeClass": ("string", True),
    "ChargeDescription": ("string", True),
    "ChargePeriodEnd": ("timestamp", False),
    "ChargePeriodStart": ("timestamp", False),
    "ContractedCost": ("decimal", False),
    "EffectiveCost": ("decimal", False),
    "HostProviderName": ("string", True),
    "InvoiceIssuerName": ("string", False),
    "ListCost": ("decimal", False),
    "PricingQuantity": ("decimal", True),
    "PricingUnit": ("string", True),
    "ServiceCategory": ("string", False),
    "ServiceName": ("string", False),
    "ServiceProviderName": ("string", False),
}
CATEGORIES = {"Usage", "Purchase", "Tax", "Credit", "Adjustment"}


@pytest.fixture
def invoices() -> list[Invoice]:
    world = Adjusted()
    world.close()
    return world.ledger.invoices(MONTH)


def rows(invoices: list[Invoice]) -> list[dict[str, object]]:
    return list(focus_table(invoices, "seller").to_pylist())


@pytest.mark.parametrize("name", MANDATORY)
def test_every_mandatory_column_is_there_with_its_type_and_nullability(name: str) -> None:
    kind, nullable = MANDATORY[name]
    field = SCHEMA.field(name)
    assert str(field.type).startswith(kind)
    assert field.nullable is nullable


def test_columns_of_our_own_are_marked_and_no_required_value_is_missing(
    invoices: list[Invoice],
) -> None:
    known = set(COLUMNS) - set(MANDATORY)
    assert {name for name in known if name.startswith("x_")} == {
        "x_InvoiceLine",
        "x_LineKind",
        "x_Plan",
        "x_PricingValue",
    }
    table = focus_table(invoices, "seller")
    assert table.schema.equals(SCHEMA)
    for field in table.schema:
        assert field.nullable or table[field.name].null_count == 0, field.name


def test_billed_costs_add_up_to_each_invoice_s_total(invoices: list[Invoice]) -> None:
    sums: Counter[object] = Counter()
    for row in rows(invoices):
        sums[row["InvoiceId"]] += row["BilledCost"]  # type: ignore[operator]
    for invoice in invoices:
        due = Decimal(invoice.total_minor).scaleb(-MINOR_DIGITS[invoice.currency])
        assert sums[invoice.number] == due


def test_what_the_specification_says_of_categories_holds(invoices: list[Invoice]) -> None:
    found = rows(invoices)
    assert {row["ChargeCategory"] for row in found} == CATEGORIES - {"Adjustment"} | {
        row["ChargeCategory"] for row in found if row["x_LineKind"] in ("minimum", "maximum")
    }
    for row in found:
        category, quantity, price = (
            row[name] for name in ("ChargeCategory", "PricingQuantity", "ListUnitPrice")
        )
        assert (row["ConsumedQuantity"] is not None) == (category == "Usage")
        if category == "Tax":
            assert quantity is price is row["SkuId"] is None
        if category in ("Usage", "Purchase"):
            assert None not in (quantity, price, row["SkuId"], row["PricingUnit"])
        if price is not None:
            assert price >= 0  # type: ignore[operator]
            assert quantity * price == row["ListCost"] == row["ContractedCost"]  # type: ignore[operator]


def test_an_overage_is_its_quantity_at_its_price(invoices: list[Invoice]) -> None:
    [row] = [row for row in rows(invoices) if row["x_LineKind"] == "overage"]
    assert row["ConsumedQuantity"] == row["PricingQuantity"] == Decimal("195483.870968")
    assert (row["ListUnitPrice"], row["BilledCost"]) == (Decimal("0.000008"), Decimal("1.56"))
    assert row["ListCost"] == Decimal("1.563870967744")
    assert row["ChargeClass"] is None


@given(st.integers(-MOST_MICRO, MOST_MICRO), st.integers(1, MAX_PICO))
@example(123_456_789_012_345_678, 1_234_567_890_123)
def test_a_cost_of_any_length_is_exact(micro: int, pico: int) -> None:
    """123,456,789,012.345678 at 1.234567890123 has 31 digits."""
    line = InvoiceLine("overage", "pro", OCTOBER, 1, "calls", micro, pico)
    told = Invoice("i", "acme", "s", MONTH, "USD", (line,), b"{}", "")
    [row] = rows([replace(told, number="1", state=InvoiceState.FINALIZED)])
    assert Fraction(row["ListCost"]) == Fraction(micro * pico, 10**18)  # type: ignore[call-overload]


def test_a_line_of_an_earlier_period_is_a_correction(invoices: list[Invoice]) -> None:
    [invoice] = [each for each in invoices if each.tenant == "design"]
    earlier = replace(
        invoice.lines[5],
        period=replace(invoice.lines[5].period, start_ms=at("09-01"), end_ms=at("10-01")),
    )
    found = rows([replace(invoice, lines=(*invoice.lines, earlier))])
    assert [row["ChargeClass"] for row in found][-1] == "Correction"
    assert {row["ChargeClass"] for row in found[:-1]} == {None}


def test_a_credited_line_is_one_charge_whatever_its_units_cost(invoices: list[Invoice]) -> None:
    [invoice] = [each for each in invoices if each.tenant == "design"]
    [overage] = [line for line in invoice.lines if line.kind == "overage"]
    credited = replace(overage, kind="credited", amount_minor=-overage.amount_minor)
    [row] = rows([replace(invoice, kind="note", lines=(credited,), document=b"{}")])
    assert (row["PricingQuantity"], row["ListUnitPrice"]) == (-1, Decimal("1.56"))
    assert row["BilledCost"] == row["ListCost"] == Decimal("-1.56")


SEPTEMBER = OCTOBER.before
LATE = InvoiceLine("correction", "pro", SEPTEMBER, 1976, "tokens", 10**13)


def billed_in(row: dict[str, object]) -> tuple[object, ...]:
    return tuple(row[f"BillingPeriod{end}"] for end in ("Start", "End"))


def test_a_credit_note_is_billed_in_the_period_of_its_invoice(invoices: list[Invoice]) -> None:
    """The correction and the note that credits it are in one period, for September's service."""
    [invoice] = [each for each in invoices if each.tenant == "design"]
    corrected = replace(invoice, lines=(*invoice.lines, LATE))
    credited = replace(LATE, kind="credited", amount_minor=-1976)
    note = replace(invoice, id="n", number="9", kind="note", lines=(credited,), document=b"{}")
    *_, line, credit = rows([corrected, note])
    assert line["x_LineKind"] == "correction"
    assert (
        billed_in(line) == billed_in(credit) == (from_ms(OCTOBER.start_ms), from_ms(OCTOBER.end_ms))
    )
    for row in (line, credit):
        assert row["ChargePeriodStart"] == from_ms(SEPTEMBER.start_ms)
        assert row["ChargeClass"] == "Correction"


@pytest.mark.parametrize(("has_invoice", "begins"), [(True, "09-11"), (False, "10-01")])
def test_a_note_for_late_usage_is_billed_when_it_is_made(has_invoice: bool, begins: str) -> None:
    """In the billing period of its subscription that ends in the month, else in the month."""
    told = b'{"period": {"start": "2026-09-11T00:00:00Z", "end": "2026-10-11T00:00:00Z"}}'
    made = Invoice("s:2026-10", "acme", "s", MONTH, "USD", (), told, "")
    earlier = b'{"period": {"start": "2026-08-11T00:00:00Z", "end": "2026-09-11T00:00:00Z"}}'
    note = replace(
        Invoice("s:2026-09:late:2026-10", "acme", "s", MONTH, "USD", (LATE,), earlier, ""),
        number="2", kind="note", state=InvoiceState.FINALIZED,
    )  # fmt: skip
    [row] = rows([made, note] if has_invoice else [note])
    assert row["BillingPeriodStart"] == from_ms(at(begins))


def test_drafts_are_not_charges(invoices: list[Invoice]) -> None:
    assert rows([replace(each, number=None) for each in invoices]) == []


def test_as_csv_decimals_are_plain_and_instants_utc(invoices: list[Invoice]) -> None:
    text = io.StringIO()
    csv.writer(text).writerows(in_text([focus_table(invoices, "seller")]))
    text.seek(0)
    read = list(csv.DictReader(text))
    assert list(read[0]) == list(COLUMNS)
    [overage] = [row for row in read if row["x_LineKind"] == "overage"]
    assert (overage["BilledCost"], overage["ListUnitPrice"]) == ("1.56", "0.000008")
    assert overage["BillingPeriodStart"] == "2026-10-01T00:00:00Z"
    assert overage["BillingAccountName"] == overage["ChargeClass"] == ""
    assert isinstance(focus_table(invoices, "s"), pa.Table)
