"""A month in which somebody used more than can be billed: it is held, and nobody else waits."""

from pathlib import Path

import pytest
from clickhouse_connect.driver.client import Client

from pipelines.catalog import catalog_file
from pipelines.close import closing, opening
from schemas.catalog import Catalog
from schemas.invoice import InvoiceState
from schemas.money import TOO_DEAR
from schemas.quantity import MAX_QUANTITY, MICRO
from schemas.rebuild import Chosen, PartitionCut
from schemas.subscription import GOOD_CARD, PlanSegment, Subscription
from schemas.vector import Vector
from stores import ledger
from stores.ledger import Ledger
from stores.warehouse.usage import WarehouseUsage
from tests.integration.stores.test_compare_counters import OCTOBER, WINDOW, Landed
from tests.warehouses import CATALOG, Delivery, count, deliver, reach

pytestmark = pytest.mark.integration

EVENTS = 93
"""Times the largest quantity of an event is more than 64 bits of 1e-6 units."""

OVER_MS = OCTOBER.end_ms + 86_400_000


def books_of(tmp_path: Path, catalog: Catalog) -> Ledger:
    """Two tenants since September."""
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    ledger.migrate(url)
    opened = ledger.connect(url, clock=lambda: OVER_MS)
    opened.apply_catalog(catalog_file.canonical(catalog), OCTOBER.start_ms)
    plan = (PlanSegment("free", 1, OCTOBER.before.start_ms, None),)
    every = [Subscription(f"sub_{name}", name, "USD", GOOD_CARD, plan) for name in ("a", "b")]
    opened.save_subscriptions(every, OCTOBER.start_ms, "ada")
    return opened


def dear() -> Catalog:
    """A price by mistake: an event may cost more than 64 bits of cents."""
    body = CATALOG.model_dump(mode="json")
    for plan in body["plans"].values():
        plan["meters"]["tokens"] = {"included": "1000", "overage": {"price": {"USD": "9000000"}}}
    return Catalog.model_validate(body)


@pytest.mark.parametrize(
    ("sign", "events", "catalog", "reason"),
    [
        (1, EVENTS, CATALOG, "more than 9223372036854.775807 units cannot be billed"),
        (-1, EVENTS, CATALOG, "more than 9223372036854.775807 units cannot be billed"),
        (1, 1, dear(), TOO_DEAR),
    ],
)
def test_more_than_can_be_billed_holds_its_tenant_alone(
    warehouse: Client, tmp_path: Path, sign: int, events: int, catalog: Catalog, reason: str
) -> None:
    books = books_of(tmp_path, catalog)
    huge = [Delivery(n, f"x{n}", sign * MAX_QUANTITY) for n in range(events)]
    deliver(warehouse, *huge, Delivery(events, "y", 250, tenant="b"))
    end = events + 1
    count(warehouse, sign * events * MAX_QUANTITY, end)
    count(warehouse, 250, end, tenant="b")
    for tenant, requests in (("a", events), ("b", 1)):
        count(warehouse, requests, end, tenant=tenant, meter="requests")
    reach(warehouse, end)
    month, usage, log = (
        OCTOBER.key,
        WarehouseUsage(warehouse, WINDOW),
        Landed(Vector({(1, 0): end})),
    )
    opening.open_closing(month, books, log, usage, lambda: OVER_MS, code_version="1", grace_ms=0)
    closing.aggregate_usage(month, books, usage)
    closing.rate_charges(month, books)
    closing.prorate_fees(month, books)
    closing.draft_invoices(month, books)
    closing.reconcile(month, books, usage, log, max_held=0.5)
    closing.finalize(month, books, lambda: OVER_MS, seller="seller")
    found = {each.tenant: each for each in books.invoices(month)}
    assert {name: each.state for name, each in found.items()} == {
        "a": InvoiceState.DRAFT,
        "b": InvoiceState.PAID,
    }
    assert reason in (found["a"].held or "")


def test_counters_are_made_anew_of_more_than_can_be_billed(warehouse: Client) -> None:
    deliver(warehouse, *(Delivery(n, f"x{n}", MAX_QUANTITY) for n in range(EVENTS)))
    chosen, cut = Chosen(frozenset(["tokens"])), PartitionCut(1, 0, 1, EVENTS)
    [part] = WarehouseUsage(warehouse, WINDOW).parts(CATALOG, chosen, cut, OCTOBER.start_ms)
    assert part.micro == EVENTS * MAX_QUANTITY * MICRO
