"""The checks find each fault that is put into a good month, and nothing in a good one."""

from dataclasses import replace

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.checks.checks import charges_match_usage, findings_of
from pipelines.checks.invoice_checks import (
    lines_sum_to_totals,
    no_surprising_change,
    one_invoice_per_subscription,
)
from pipelines.columns.tables import as_table, rows_of, table_of
from pipelines.invoices.books import Books
from pipelines.invoices.stored_invoices import read_invoices
from pipelines.rating import bulk_rating
from pipelines.segments.segment_tables import segment_table
from schemas.catalog import Catalog
from schemas.closing import Closing
from schemas.errors import Conflict
from schemas.invoice import Invoice, InvoiceLine, InvoiceState
from schemas.quantity import MOST_MICRO
from schemas.subscription import Subscription
from schemas.tables import LINE_COLUMNS
from schemas.vector import Vector
from tests.builders import OCTOBER, a_subscription, llm_tokens, usage_table
from tests.fakes import FakeLedger
from tests.strategies import catalogs, subscriptions, usage_of
from tests.unit.pipelines.close.test_closing import MONTH, World


@pytest.fixture
def world() -> World:
    world = World()
    world.close()
    return world


def books(world: World) -> Books:
    return Books(MONTH, world.ledger)


def change(world: World, tenant: str, index: int, **changes: int) -> None:
    """Write other figures into one stored line of a tenant's charges."""
    rows = list(rows_of(as_table(world.ledger.lines(MONTH), LINE_COLUMNS)))
    charges = [row for row in rows if row["meter"]]
    [row for row in charges if row["tenant"] == tenant][index].update(changes)
    world.ledger.replace_lines(MONTH, "charges", table_of(map(_values, charges), LINE_COLUMNS))


def bill_by_the_plans_now(world: World) -> None:
    """As if the month had been cut by them."""
    world.ledger.replace_billed_segments(MONTH, world.ledger.segments(OCTOBER))


def _values(row: dict[str, object]) -> tuple[object, ...]:
    return tuple(row[column] for column in LINE_COLUMNS)


def test_a_good_month_has_no_findings(world: World) -> None:
    good = books(world)
    assert charges_match_usage(good) == []
    assert lines_sum_to_totals(good) == []
    assert one_invoice_per_subscription(good) == []


@given(st.data(), subscriptions(), catalogs())
def test_whatever_the_prices_and_the_usage_the_charges_match_it(
    data: st.DataObject, subscription: Subscription, catalog: Catalog
) -> None:
    usage = data.draw(usage_of(subscription))
    ledger = FakeLedger({1: catalog}, [subscription])
    ledger.save_closing(Closing(MONTH, Vector(), 1, "1", 0))
    rows = usage_table((subscription.tenant, *key, micro, 1) for key, micro in usage.items())
    ledger.replace_usage(MONTH, rows)
    charges = bulk_rating.rate_charges(rows, segment_table([subscription]), OCTOBER, {1: catalog})
    ledger.replace_lines(MONTH, "charges", charges)
    assert charges_match_usage(Books(MONTH, ledger)) == []


def test_usage_beyond_what_lines_can_say_stops_nobody() -> None:
    """It is held by the comparison; this check would stop the run."""
    subscription = a_subscription("pro 09-01, enterprise 10-11")
    ledger = FakeLedger({1: llm_tokens()}, [subscription])
    ledger.save_closing(Closing(MONTH, Vector(), 1, "1", 0))
    values = [(segment, value) for segment in (1, 2) for value in ("", "large", "small")]
    rows = usage_table(("acme", "tokens", *each, MOST_MICRO, 1) for each in values)
    ledger.replace_usage(MONTH, rows)
    segments = segment_table([subscription])
    charges = bulk_rating.rate_charges(rows, segments, OCTOBER, ledger.sold)
    ledger.replace_lines(MONTH, "charges", charges)
    assert charges_match_usage(Books(MONTH, ledger)) == []


@settings(max_examples=30)
@given(st.data(), subscriptions(), catalogs(with_policies=True))
def test_whatever_is_changed_nobody_is_overlooked(
    data: st.DataObject, subscription: Subscription, catalog: Catalog
) -> None:
    usage = data.draw(usage_of(subscription))
    ledger = FakeLedger({1: catalog}, [subscription])
    ledger.save_closing(Closing(MONTH, Vector(), 1, "1", 0))
    rows = usage_table((subscription.tenant, *key, micro, 1) for key, micro in usage.items())
    ledger.replace_usage(MONTH, rows)
    segments = segment_table([subscription])
    fees = bulk_rating.prorate_fees(segments, OCTOBER, {1: catalog})
    charges = bulk_rating.rate_charges(rows, segments, OCTOBER, {1: catalog})
    ledger.replace_lines(MONTH, "prorations", data.draw(_tampered(fees)))
    ledger.replace_lines(MONTH, "charges", data.draw(_tampered(charges)))
    books = Books(MONTH, ledger)
    assert charges_match_usage(books) == findings_of(books, books.subscribed)


@st.composite
def _tampered(draw: st.DrawFn, lines: pa.Table) -> pa.Table:
    """Lines of which one is a little more or less, or is not there."""
    rows = lines.to_pylist()
    if rows and draw(st.booleans()):
        place = draw(st.integers(0, len(rows) - 1))
        what = draw(st.sampled_from(("amount_minor", "quantity_micro", "fee_minor", "none")))
        if what == "none":
            del rows[place]
        elif rows[place][what] is not None:
            rows[place][what] += draw(st.sampled_from((-(10**6), -1, 1, 10**7)))
    return table_of(map(_values, rows), LINE_COLUMNS)


def test_a_cent_too_much_is_found_by_both_checks(world: World) -> None:
    change(world, "design", 2, amount_minor=157)
    assert charges_match_usage(books(world)) == ["design: overage of pro is 157, not 156"]
    assert lines_sum_to_totals(books(world)) == [
        "sub_design:2026-10: its lines are not those of the ledger",
        "USD: invoices add up to 17897, lines to 17898",
    ]


def test_however_many_tenants_are_read_together_the_same_is_found(world: World) -> None:
    change(world, "design", 2, amount_minor=157)
    of_nobody = replace(_an_invoice(MONTH, 2), id="z", tenant="zz", document=b'{"total_minor":2,')
    world.ledger.put(of_nobody)
    together = read_invoices(books(world))
    assert together.findings == [
        "sub_design:2026-10: its lines are not those of the ledger",
        "z: its lines are not those of the ledger",
        "USD: invoices add up to 17899, lines to 17898",
    ]
    assert read_invoices(books(world), at_once=1) == together
    assert together.billed.num_rows > 1


def test_usage_that_is_on_no_line_is_found(world: World) -> None:
    change(world, "design", 0, quantity_micro=59_000_000_000)
    [finding] = charges_match_usage(books(world))
    assert finding.startswith(
        "design: tokens lines hold 759000, 195483.870968 of it beyond the pool"
    )


def test_a_document_with_another_total_is_found(world: World) -> None:
    [invoice] = world.ledger.invoices(MONTH, tenant="design")
    world.ledger.put(replace(invoice, document=b'{"total_minor":1}'))
    assert lines_sum_to_totals(books(world)) == [f"{invoice.id}: the document says 1, not 2736"]


@pytest.mark.parametrize("after", ["", "é" * 400, "é" * 400 + "e"])
def test_a_total_is_found_wherever_it_stands_in_the_document(world: World, after: str) -> None:
    """Also before an end that is looked at first, which may begin within a letter."""
    [invoice] = world.ledger.invoices(MONTH, tenant="design")
    for stated, findings in (2736, []), (1, [f"{invoice.id}: the document says 1, not 2736"]):
        document = f'{{"total_minor":{stated},"vector":"{after}"}}'.encode()
        world.ledger.put(replace(invoice, document=document))
        assert lines_sum_to_totals(books(world)) == findings


def test_what_void_invoices_bill_is_not_told(world: World) -> None:
    before = read_invoices(books(world))
    [invoice] = world.ledger.invoices(MONTH, tenant="design")
    world.ledger.put(replace(invoice, state=InvoiceState.VOID))
    after = read_invoices(books(world))
    assert "design" in before.billed["tenant"].to_pylist()
    others = [row for row in before.billed.to_pylist() if row["tenant"] != "design"]
    assert after.billed.to_pylist() == others


def test_missing_surplus_and_repeated_invoices_are_found(world: World) -> None:
    [invoice] = world.ledger.invoices(MONTH, tenant="design")
    world.ledger.put(replace(invoice, id="again"))
    world.ledger.subscribed[0] = a_subscription("pro 09-01", "new")
    bill_by_the_plans_now(world)
    assert one_invoice_per_subscription(books(world)) == [
        "sub_new: there is no invoice",
        "sub_upgrade: an invoice without subscription",
        "sub_design: there are 2 invoices",
    ]


def test_two_subscriptions_of_a_tenant_in_a_month_are_refused(world: World) -> None:
    world.ledger.subscribed.append(replace(a_subscription("pro 10-05", "design"), id="sub_2"))
    bill_by_the_plans_now(world)
    with pytest.raises(Conflict, match="design has two subscriptions in 2026-10"):
        _ = books(world).segments


@pytest.mark.parametrize(
    ("was", "now", "is_surprising"),
    [
        (1_000, 3_001, True),
        (1_000, 3_000, False),
        (9_000, 2_000, True),
        (1, 1_001, False),
        (0, 1_001, True),
        (0, 0, False),
    ],
)
def test_totals_that_more_than_triple_are_surprising(
    was: int, now: int, is_surprising: bool
) -> None:
    world = World()
    world.open()
    world.ledger.put(_an_invoice("2026-09", was))
    world.ledger.put(_an_invoice(MONTH, now))
    findings = no_surprising_change(books(world), Books("2026-09", world.ledger))
    assert bool(findings) == is_surprising


def test_a_first_invoice_surprises_nobody() -> None:
    world = World()
    world.ledger.put(_an_invoice(MONTH, 100_000))
    assert no_surprising_change(books(world), Books("2026-09", world.ledger)) == []


def _an_invoice(month: str, total_minor: int) -> Invoice:
    line = InvoiceLine("base_fee", "pro", OCTOBER, total_minor)
    return Invoice(f"s:{month}", "acme", "s", month, "USD", (line,), b"", "")
