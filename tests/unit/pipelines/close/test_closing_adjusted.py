"""A month closed with discounts, tax and credits, on fakes: to the cent, twice, killed anywhere."""

import json
from dataclasses import dataclass, field, replace
from functools import cache

import pytest

from pipelines.checks.adjustment_checks import adjustments_hold
from pipelines.checks.checks import charges_match_usage
from pipelines.close import closing
from pipelines.columns.tables import rows_of
from pipelines.invoices.books import Books
from pipelines.reports.preview import upcoming_invoices
from schemas.catalog import Catalog
from schemas.errors import ReconciliationFailed
from schemas.invoice import Invoice, InvoiceLine, InvoiceState, LineKind
from schemas.period import BillingPeriod
from schemas.vector import Vector
from tests.builders import at, explained, llm_tokens
from tests.fakes import Killed
from tests.unit.pipelines.adjustments.builders import lines_table
from tests.unit.pipelines.close.test_closing import MONTH, World

COUPON = {"percent": "20%", "on": "fees", "lasts": "3 months"}
TAX = {"name": "VAT", "country": "DE", "rate": "19%"}


def offers() -> Catalog:
    """The shipped price list with a minimum, a coupon, an add-on and a tax."""
    body = json.loads(llm_tokens().model_dump_json())
    body["plans"]["enterprise"]["minimum"] = {"USD": "300", "CNY": "2000"}
    body |= {
        "coupons": {"WELCOME": COUPON},
        "add_ons": {"seats": {"fee": {"USD": "5", "CNY": "30"}}},
        "taxes": [TAX],
    }
    return Catalog.model_validate(body)


@dataclass
class Adjusted(World):
    """The world of `test_closing`, whose tenants have more than their plans."""

    sold: Catalog = field(default_factory=offers)

    def __post_init__(self) -> None:
        self.ledger.sold = {1: self.sold}
        self.ledger.has |= {
            "buyers": [("design", "DE", None, None)],
            "redemptions": [("design", "WELCOME", 1, at("10-05"), at("12-31"))],
            "add_ons": [("design", "seats", "seats", 1, 2, at("10-16"), None)],
            "items": [("idle", "setup", MONTH, "CNY", 9900, "Setup")],
            "credits": [("design", "gift", "USD", 1000, at("10-01"), None, 50, 1000)],
        }

    def invoice(self, tenant: str) -> Invoice:
        [invoice] = self.ledger.invoices(MONTH, tenant=tenant)
        return invoice


@pytest.fixture
def world() -> Adjusted:
    adjusted = Adjusted()
    adjusted.close()
    return adjusted


def test_the_lines_that_follow_come_after_fees_and_usage(world: Adjusted) -> None:
    lines = world.invoice("design").lines
    assert [(line.kind, line.amount_minor) for line in lines[5:]] == [
        ("overage", 156),
        ("add_on", 516),
        ("discount", -516),
        ("tax", 490),
        ("tax", 30),
        ("tax", 98),
        ("tax", -98),
        ("credit_applied", -1000),
    ]
    assert [(line.kind, line.amount_minor) for line in world.invoice("upgrade").lines] == [
        ("base_fee", 4999),
        ("proration_credit", -3386),
        ("proration_charge", 13548),
        ("included", 0),
        ("minimum", 6775),  # 300.00 × 21 ÷ 31 = 203.23, of which the plan's fees are 135.48
    ]
    assert [line.kind for line in world.invoice("idle").lines] == ["base_fee", "item"]


def test_an_invoice_says_what_it_is_made_of(world: Adjusted) -> None:
    invoice = world.invoice("design")
    document = json.loads(invoice.document)
    assert document["buyer"] == {"country": "DE"}
    told = {name: document[name] for name in ("subtotal_minor", "tax_minor", "credits_minor")}
    assert told == {"subtotal_minor": 2736, "tax_minor": 520, "credits_minor": 1000}
    assert (invoice.subtotal_minor, invoice.tax_minor, invoice.credits_minor) == (2736, 520, 1000)
    assert invoice.amount_due_minor == invoice.total_minor == 2256
    assert document["lines"][-2] == {
        "kind": "tax",
        "name": "VAT",
        "product": "fees",
        "plan": "pro",
        "rate_ppm": 190_000,
        "base_minor": -516,
        "tax_minor": -98,
        "amount_minor": -98,
        "period": {"start": "2026-10-01T00:00:00Z", "end": "2026-11-01T00:00:00Z"},
    }


def test_an_invoice_that_nothing_follows_on_says_nothing_of_it() -> None:
    plain = World()
    plain.close()
    for invoice in plain.ledger.invoices(MONTH):
        assert not {"buyer", "subtotal_minor", "tax_minor"} & json.loads(invoice.document).keys()


def test_every_line_is_explained_and_recomputed(world: Adjusted) -> None:
    text = explained(MONTH, "design", world.ledger)
    assert "discount          WELCOME, 20% off fees of Pro: 20% of 25.80 → −5.16" in text
    assert "add_on            2 × Seats, 16–31 October: 16 of 31 days of 10.00 → 5.16" in text
    assert "tax               VAT 19%, on tokens of Pro: 19% of 1.56 → 0.30" in text
    assert "credit_applied    Credit gift: 10.00 before, 0.00 left → −10.00" in text
    assert "every line agrees" in text
    assert "the minimum is 203.23 → 67.75" in explained(MONTH, "upgrade", world.ledger)


def test_a_closed_invoice_is_recomputed_as_it_found_its_tenant(world: Adjusted) -> None:
    world.ledger.has |= {"buyers": [], "credits": []}
    assert "every line agrees" in explained(MONTH, "design", world.ledger)


@cache
def undisturbed() -> Adjusted:
    world = Adjusted()
    world.close()
    return world


@pytest.mark.parametrize("write", range(4, len(undisturbed().ledger.writes) + 1))
def test_killed_at_any_write_and_run_again_the_ledger_is_the_same(write: int) -> None:
    killed = Adjusted()
    killed.ledger.dies_at = write
    with pytest.raises(Killed):
        killed.close()
    killed.ledger.dies_at = None
    killed.close()
    assert killed.ledger.contents() == undisturbed().ledger.contents()


def test_adjustments_can_be_made_again_by_themselves(world: Adjusted) -> None:
    again = Adjusted()
    again.open()
    closing.aggregate_usage(MONTH, again.ledger, again.warehouse)
    closing.rate_charges(MONTH, again.ledger)
    closing.prorate_fees(MONTH, again.ledger)
    for _ in range(2):
        report = closing.adjust_lines(MONTH, again.ledger)
        assert report.counts == {"lines": 9, "subscriptions": 3}
    assert not closing.adjust_lines(MONTH, world.ledger).written


def test_the_checks_pass_what_the_rules_made(world: Adjusted) -> None:
    books = Books(MONTH, world.ledger)
    assert charges_match_usage(books) == []
    assert adjustments_hold(books) == []


WRONG: list[tuple[LineKind, dict[str, int], str]] = [
    ("tax", {"amount_minor": 491, "tax_minor": 491}, "VAT on 2580 is 491, not its 190000"),
    ("tax", {"amount_minor": 1}, "VAT adds 1 but is 490"),
    ("discount", {"amount_minor": -2581}, "a discount of 2581 is on 2580 of fees"),
    ("credit_applied", {"amount_minor": -1001}, "credit gift of 1000 pays 1001"),
    ("credit_applied", {"amount_minor": -9000, "base_minor": 9000}, "pay 5744 more than is due"),
]


@pytest.mark.parametrize(("kind", "changes", "finding"), WRONG)
def test_a_wrong_line_is_found(
    kind: LineKind, changes: dict[str, int], finding: str, world: Adjusted
) -> None:
    lines = list(world.invoice("design").lines[6:])
    place = [line.kind for line in lines].index(kind)
    lines[place] = replace(lines[place], **changes)  # type: ignore[arg-type]
    [found] = _findings_with(lines, world)
    assert finding in found


def _findings_with(lines: list[InvoiceLine], world: Adjusted) -> list[str]:
    design = next(s for s in world.ledger.subscribed if s.tenant == "design")
    world.ledger.replace_lines(MONTH, "adjustments", lines_table([(design, lines)]))
    return adjustments_hold(Books(MONTH, world.ledger))


@pytest.mark.parametrize(
    ("terms", "finding"),
    [
        ({"minimum": {"USD": "900", "CNY": "0"}}, "less than the minimum of 90000"),
        ({"maximum": {"USD": "1", "CNY": "0"}}, "more than the maximum of 100"),
    ],
)
def test_a_limit_that_is_not_kept_stops_the_run(
    terms: dict[str, dict[str, str]], finding: str
) -> None:
    world = Adjusted()
    world.ledger.subscribed = [replace(s) for s in world.ledger.subscribed if s.tenant == "design"]
    pro = replace(world.ledger.subscribed[0].segments[1], starts_ms=at("09-01"))
    world.ledger.subscribed[0] = replace(world.ledger.subscribed[0], segments=(pro,))
    world.open()
    closing.aggregate_usage(MONTH, world.ledger, world.warehouse)
    world.ledger.sold = {1: _cheap(world.sold)}
    closing.rate_charges(MONTH, world.ledger)
    closing.prorate_fees(MONTH, world.ledger)
    closing.draft_invoices(MONTH, world.ledger)
    body = json.loads(_cheap(world.sold).model_dump_json())
    body["plans"]["pro"] |= terms
    world.ledger.sold = {1: Catalog.model_validate(body)}
    with pytest.raises(ReconciliationFailed, match=finding):
        closing.reconcile(MONTH, world.ledger, world.warehouse, world.log, max_held=1)
    assert world.invoice("design").state is InvoiceState.DRAFT


def _cheap(sold: Catalog) -> Catalog:
    """Pro includes nothing, so that its usage costs something."""
    body = json.loads(sold.model_dump_json())
    body["plans"]["pro"]["meters"]["tokens"]["included"] = "0"
    return Catalog.model_validate(body)


def test_the_preview_is_what_the_close_will_make(world: Adjusted) -> None:
    vector, end_ms = Vector({(1, 0): 5}), BillingPeriod.month(MONTH).end_ms
    previewed = upcoming_invoices(MONTH, world.ledger, world.warehouse, vector, end_ms)
    invoices = world.ledger.invoices(MONTH)
    assert {it.tenant: it.so_far.amount_minor for it in previewed} == {
        invoice.tenant: invoice.total_minor for invoice in invoices
    }


def test_drafts_are_in_the_order_of_their_subscriptions(world: Adjusted) -> None:
    rows = [row["tenant"] for row in rows_of(Books(MONTH, world.ledger).lines)]
    assert rows == sorted(rows)
