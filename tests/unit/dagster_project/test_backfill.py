"""Twelve months at once, a run for each: the invoices of twelve closes one after the other."""

from itertools import count
from pathlib import Path

import pytest

from schemas.extras import CreditGrant
from schemas.period import BillingPeriod
from schemas.subscription import GOOD_CARD, PlanSegment, Subscription
from schemas.vector import Vector
from tests.builders import units
from tests.fake_warehouse import DAY_MS, FakeLog, FakeWarehouse, Used
from tests.unit.dagster_project.months import CLOSE, Month, an_empty_month, close_bare

pytestmark = pytest.mark.integration  # twelve runs of Dagster

YEAR = [f"2025-{ordinal:02d}" for ordinal in range(1, 13)]
BEGAN_MS = BillingPeriod.month("2024-12").start_ms


def subscribers() -> list[Subscription]:
    """A tenant on pro, and one that goes from pro to enterprise in May."""
    may_ms = BillingPeriod.month("2025-05").start_ms + 10 * DAY_MS
    stays = (PlanSegment("pro", 1, BEGAN_MS, None),)
    moves = (PlanSegment("pro", 1, BEGAN_MS, may_ms), PlanSegment("enterprise", 1, may_ms, None))
    return [
        Subscription(f"sub_{tenant}", tenant, "USD", GOOD_CARD, segments)
        for tenant, segments in (("moves", moves), ("stays", stays))
    ]


def a_year(folder: Path) -> Month:
    """Twelve months of growing usage, and a credit that lasts for some of them."""
    folder.mkdir()
    month, offsets = an_empty_month(folder), count()
    month.warehouse = FakeWarehouse(
        [
            Used(
                tenant,
                "tokens",
                BillingPeriod.month(key).start_ms + DAY_MS * (7 * place % 28),
                units(900_000 * (place + 1)),
                offset=next(offsets),
            )
            for place, key in enumerate(YEAR)
            for tenant in ("moves", "stays")
        ]
    )
    end = Vector({(1, 0): next(offsets)})
    month.log, month.warehouse.counters_at = FakeLog(end, end), end
    month.ledger.save_subscriptions(subscribers(), 0, "test")
    month.ledger.grant_credit(CreditGrant("stays", "pay_1", "USD", 30_000, BEGAN_MS), "test")
    return month


def documents(month: Month) -> list[tuple[str, bytes, str | None]]:
    """The year's invoices to the byte, with their numbers."""
    return [(i.id, i.document, i.number) for i in month.ledger.invoices()]


def test_a_backfill_of_twelve_months_makes_the_invoices_of_twelve_closes(tmp_path: Path) -> None:
    at_once, one_by_one = a_year(tmp_path / "at_once"), a_year(tmp_path / "one_by_one")
    for key in YEAR:
        assert at_once.run(*CLOSE, "finalized_invoices", key=key).success
        close_bare(one_by_one, key)
    made = documents(at_once)
    assert made == documents(one_by_one)
    assert len(made) == 24
    credited = [
        sum(line.kind == "credit_applied" for line in it.lines) for it in at_once.ledger.invoices()
    ]
    assert 1 < sum(credited) < 12
