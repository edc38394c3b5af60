"""The analytics views: stable names and columns, and what each shows."""

from decimal import Decimal
from pathlib import Path

import pytest
from clickhouse_connect.driver.client import Client

from schemas.period import parse_instant
from stores.warehouse.client import migrate
from stores.warehouse.mirror import InvoiceRow, LineRow, Mirror, SegmentRow, SubscriptionRow
from tests.warehouses import Delivery, deliver

pytestmark = pytest.mark.integration

COLUMNS = {
    "usage": "tenant meter model time quantity type source id arrived dimension",
    "usage_daily": "day tenant meter model quantity events",
    "usage_by_day": "day tenant meter model quantity events filled",
    "invoices": (
        "invoice tenant subscription month number currency total_minor state issued_at due_at held "
        "reversed_minor"
    ),
    "invoice_lines": (
        "invoice ordinal tenant month kind meter plan quantity unit_price amount_minor currency "
        "period_start period_end value name product tax_minor"
    ),
    "rejected_usage": "arrived reason detail key element topic epoch partition offset item",
    "conflicts": (
        "tenant source id contents deliveries first_quantities last_quantities "
        "first_arrived last_arrived"
    ),
    "unpriced_usage": "reason tenant meter model type time quantity source id",
}
INVOICE = InvoiceRow(
    "s:2026-10", "a", "s", "2026-10", None, "USD", 2736, "draft", None, None, "negative usage", 1
)
LINE = LineRow(
    "s:2026-10", 1, "a", "2026-10", "overage", "tokens", "pro", 195_483_870_968, 8_000_000, 156,
    "USD", parse_instant("2026-10-16T00:00:00Z"), parse_instant("2026-11-01T00:00:00Z"), 1,
)  # fmt: skip
TAX = LINE._replace(
    ordinal=2, kind="tax", quantity_micro=None, unit_price_pico=None, amount_minor=30,
    name="VAT", product="usage", tax_minor=30,
)  # fmt: skip


def rows(client: Client, sql: str) -> list[tuple[object, ...]]:
    return [tuple(row) for row in client.query(sql).result_rows]


@pytest.mark.parametrize(("view", "columns"), COLUMNS.items())
def test_columns_are_a_promise(warehouse: Client, view: str, columns: str) -> None:
    described = warehouse.query(f"DESCRIBE TABLE {view}").result_rows
    assert [row[0] for row in described] == columns.split()


def test_migrating_again_changes_nothing(warehouse: Client) -> None:
    deliver(warehouse, Delivery(0, "x", 5))
    migrate(warehouse)
    assert rows(warehouse, "SELECT count() FROM usage") == [(2,)]


def test_usage_shows_each_event_once(warehouse: Client) -> None:
    deliver(warehouse, Delivery(0, "x", 5), Delivery(1, "y", 7))
    deliver(warehouse, Delivery(9, "x", 5))
    found = rows(warehouse, "SELECT id, quantity FROM usage WHERE meter = 'tokens' ORDER BY id")
    assert found == [("x", Decimal(5)), ("y", Decimal(7))]
    daily = rows(
        warehouse, "SELECT toString(day), quantity, events FROM usage_daily WHERE meter = 'tokens'"
    )
    assert daily == [("2026-10-10", Decimal(12), 2)]


def test_an_id_with_two_contents_is_a_conflict_and_the_first_counts(warehouse: Client) -> None:
    deliver(warehouse, Delivery(0, "same", 5), Delivery(1, "other", 5), Delivery(2, "moved", 1))
    deliver(warehouse, Delivery(7, "same", 5), Delivery(8, "other", 6))
    deliver(warehouse, Delivery(9, "moved", 1, time="2026-11-10T00:00:00Z"))
    found = rows(
        warehouse,
        "SELECT id, contents, deliveries, first_quantities[1], last_quantities[1] "
        "FROM conflicts ORDER BY id",
    )
    assert found == [("moved", 2, 2, 1, 1), ("other", 2, 2, 5, 6)]


def test_usage_outside_any_plan_and_of_unknown_types_is_unpriced(warehouse: Client) -> None:
    paused_ms = parse_instant("2026-10-20T00:00:00Z")
    segments = (
        SegmentRow("pro", parse_instant("2026-10-16T00:00:00Z"), paused_ms),
        SegmentRow("pro", paused_ms, None, "paused"),
    )
    Mirror(warehouse).write_subscriptions([SubscriptionRow("a", 1, "USD", segments)])
    deliver(
        warehouse,
        Delivery(0, "too early", 1, time="2026-10-15T23:59:59Z"),
        Delivery(1, "priced", 2, time="2026-10-16T00:00:00Z"),
        Delivery(2, "nobody's", 4, tenant="b"),
        Delivery(3, "unmetered", type="image.made"),
        Delivery(4, "in a pause", 8, time="2026-10-20T00:00:00Z"),
    )
    deliver(warehouse, Delivery(8, "unmetered", type="image.made"))
    found = rows(
        warehouse,
        "SELECT reason, id, quantity FROM unpriced_usage WHERE meter IN ('tokens', '') ORDER BY id",
    )
    assert found == [
        ("no_subscription", "in a pause", Decimal(8)),
        ("no_subscription", "nobody's", Decimal(4)),
        ("no_subscription", "too early", Decimal(1)),
        ("no_meter", "unmetered", Decimal(0)),
    ]


def test_mirrored_invoices_show_their_newest_version_once(warehouse: Client) -> None:
    """What was released is held no more, though the reason is kept."""
    mirror = Mirror(warehouse)
    issued_ms = parse_instant("2026-11-01T02:00:00Z")
    paid = INVOICE._replace(number="2026-10-000001", state="paid", issued_ms=issued_ms)
    paid = paid._replace(reversed_minor=500)
    for version, invoice in ((2, paid), (1, INVOICE), (2, paid)):
        mirror.write_invoices([invoice._replace(version=version)], [LINE, TAX])
    columns = "number, state, total_minor, held, reversed_minor"
    found = rows(warehouse, f"SELECT {columns} FROM invoices")
    assert found == [("2026-10-000001", "paid", 2736, None, 500)]
    lines = rows(
        warehouse,
        "SELECT meter, quantity, unit_price, amount_minor FROM invoice_lines WHERE ordinal = 1",
    )
    assert lines == [("tokens", Decimal("195483.870968"), Decimal("0.000008"), 156)]
    taxes = rows(warehouse, "SELECT name, product, tax_minor FROM invoice_lines WHERE kind = 'tax'")
    assert taxes == [("VAT", "usage", 30)]


def test_a_subscription_s_newer_version_replaces_the_older(warehouse: Client) -> None:
    mirror = Mirror(warehouse)
    newer = (SegmentRow("pro", 0, 1000), SegmentRow("pro", 1000, None, "paused", "year"))
    mirror.write_subscriptions([SubscriptionRow("a", 2, "CNY", newer, anchor_day=31)])
    mirror.write_subscriptions([SubscriptionRow("a", 1, "USD", (SegmentRow("free", 0, None),))])
    found = rows(
        warehouse,
        "SELECT currency, plans, phases, intervals, anchor_day FROM subscriptions_mirror FINAL",
    )
    assert found == [("CNY", ["pro", "pro"], ["active", "paused"], ["month", "year"], 31)]


EXAMPLES = Path(__file__).parents[3] / "examples" / "analytics.sql"


@pytest.mark.parametrize("statement", EXAMPLES.read_text().split(";\n")[:-1])
def test_every_example_can_be_asked(warehouse: Client, statement: str) -> None:
    segments = (SegmentRow("pro", parse_instant("2026-10-01T00:00:00Z"), None),)
    Mirror(warehouse).write_subscriptions([SubscriptionRow("a", 1, "USD", segments)])
    Mirror(warehouse).write_invoices([INVOICE], [LINE])
    deliver(warehouse, Delivery(0, "x", 5), Delivery(1, "y", 7, tenant="b"))
    rows(warehouse, statement)
