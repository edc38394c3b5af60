"""Price lists with offers, and what tenants have beside their plans, for tests of adjustments."""

from collections.abc import Iterable
from typing import Any

import pyarrow as pa

from pipelines.columns.tables import table_of
from schemas.catalog import Catalog
from schemas.extras import Extras
from schemas.invoice import InvoiceLine
from schemas.subscription import Subscription
from schemas.tables import LINE_COLUMNS
from tests.fakes import EXTRAS

CURRENCIES = ("USD", "CNY")
METERS = ("tokens", "calls")


def a_catalog(
    plans: dict[str, dict[str, Any]], currencies: Iterable[str] = CURRENCIES, **offers: Any
) -> Catalog:
    """A price list of two meters; plans say their terms, all else of them is free."""
    currencies = tuple(currencies)
    free = dict.fromkeys(currencies, "0")
    cards = {meter: {"included": "0", "overage": {"price": free}} for meter in METERS}
    body = {
        "name": "offers",
        "currencies": currencies,
        "default_plan": next(iter(plans)),
        "meters": {meter: {"event_type": meter, "aggregation": "count"} for meter in METERS},
        "plans": {
            name: {"base_fee": free, "meters": cards} | terms for name, terms in plans.items()
        },
    }
    return Catalog.model_validate(body | offers)


def extras(**rows: Iterable[tuple[Any, ...]]) -> Extras:
    """Rows of `schemas.extras` columns, for all tenants; what is not named is empty."""
    return Extras(**{name: table_of(rows.get(name, ()), EXTRAS[name]) for name in EXTRAS})


def lines_table(found: Iterable[tuple[Subscription, Iterable[InvoiceLine]]]) -> pa.Table:
    """Subscriptions' lines as the ledger hands them on."""
    rows = (
        (
            *(s.tenant, s.id, s.currency, ordinal, line.kind, line.meter, line.value, line.plan),
            *(line.period.start_ms, line.period.end_ms, line.quantity_micro),
            *(line.unit_price_pico, line.fee_minor, line.amount_minor),
            *(line.product, line.name, line.rate_ppm, line.base_minor, line.tax_minor),
        )
        for s, lines in found
        for ordinal, line in enumerate(lines)
    )
    return table_of(rows, LINE_COLUMNS)
