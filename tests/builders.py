"""Values for tests, in the words of the domain: a price list, a subscription, usage, instants."""

from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path

import pyarrow as pa

from pipelines.catalog import catalog_file
from pipelines.columns.tables import table_of
from pipelines.explain.explanation import explain_invoice
from schemas.catalog import Catalog
from schemas.ledger_ports import ClosingLedger
from schemas.period import BillingPeriod, parse_instant
from schemas.quantity import MICRO
from schemas.subscription import GOOD_CARD, PlanSegment, Subscription
from schemas.tables import USAGE_COLUMNS

OCTOBER = BillingPeriod.month("2026-10")
LLM_TOKENS_FILE = Path(__file__).parent.parent / "examples/catalogs/llm_tokens.yaml"


@cache
def llm_tokens() -> Catalog:
    """The price list that ships with the product: free, pro, enterprise."""
    return catalog_file.parse(LLM_TOKENS_FILE.read_text(), LLM_TOKENS_FILE.name)


def at(text: str) -> int:
    """Epoch milliseconds of "10-16" (midnight, 2026) or "10-16 12:30", UTC."""
    day, _, time = text.partition(" ")
    return parse_instant(f"2026-{day}T{time or '00:00'}Z")


def a_subscription(
    plans: str, tenant: str = "acme", currency: str = "USD", version: int = 1, card: str = GOOD_CARD
) -> Subscription:
    """A subscription in a line: "free 09-01, pro 10-16 .. 10-20, pro 10-25"; dots end a plan."""
    rows = [row.split(maxsplit=1) for row in plans.split(", ")]
    starts = [at(times.partition(" .. ")[0]) for _, times in rows]
    ends = [times.partition(" .. ")[2] for _, times in rows]
    following: list[int | None] = [*starts[1:], None]
    segments = tuple(
        PlanSegment(plan, version, start, at(end) if end else next_start)
        for (plan, _), start, end, next_start in zip(rows, starts, ends, following, strict=True)
    )
    return Subscription(f"sub_{tenant}", tenant, currency, card, segments)


def explained(month: str, tenant: str, ledger: ClosingLedger) -> str:
    """The explanation of a tenant's one invoice for a month."""
    [invoice] = [it for it in ledger.invoices(month, tenant=tenant) if it.kind == "invoice"]
    return explain_invoice(invoice, ledger)


def units(quantity: int) -> int:
    """Whole units as 1e-6 units."""
    return quantity * MICRO


def used(
    by_segment: Mapping[int, int], meter: str = "tokens", value: str = ""
) -> dict[tuple[str, int, str], int]:
    """Usage of a meter in whole units by segment, as it is rated."""
    return {(meter, segment, value): units(quantity) for segment, quantity in by_segment.items()}


def some_usage(usage: Mapping[tuple[str, str, int], int]) -> pa.Table:
    """A usage table of {(tenant, meter, segment): 1e-6 units}."""
    return usage_table((*key, "", micro, 1) for key, micro in usage.items())


def usage_table(rows: Iterable[tuple[str, str, int, str, int, int]]) -> pa.Table:
    """A usage table of (tenant, meter, segment, value, 1e-6 units, events)."""
    return table_of(rows, USAGE_COLUMNS)
