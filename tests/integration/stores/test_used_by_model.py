"""Usage by model as of a cut, each tenant for its own billing period."""

import pytest
from clickhouse_connect.driver.client import Client

from schemas.costs import ModelUse
from schemas.period import BillingPeriod, parse_instant
from schemas.quantity import MICRO
from schemas.vector import Vector
from stores.warehouse.by_model import used_by_model
from tests.warehouses import Delivery, deliver

pytestmark = pytest.mark.integration

OCTOBER = BillingPeriod.month("2026-10")


def test_it_is_cut_by_the_vector_and_by_each_tenants_period(warehouse: Client) -> None:
    deliver(
        warehouse,
        Delivery(0, "x", 5),
        Delivery(1, "x", 5),
        Delivery(2, "y", 7, tenant="b", time="2026-09-20T00:00:00Z"),
        Delivery(3, "z", 9, tenant="b", time="2026-10-20T00:00:00Z"),
        Delivery(4, "late", 11),
    )
    middle = BillingPeriod(
        parse_instant("2026-09-16T00:00:00Z"), parse_instant("2026-10-16T00:00:00Z")
    )
    found = used_by_model(warehouse, OCTOBER, Vector({(1, 0): 4}), ["tokens"], {"b": middle})
    assert [(use.tenant, use.meter, use.quantity_micro) for use in found] == [
        ("a", "tokens", 5 * MICRO),
        ("b", "tokens", 7 * MICRO),
    ]
    assert isinstance(found[0], ModelUse)
