"""What the demo tells after the close: late usage with its correction, and other prices."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from countinghouse.demo import afterwards
from countinghouse.demo.input import DemoInput
from countinghouse.settings import Settings
from schemas.vector import Vector
from tests.builders import at, units
from tests.fake_warehouse import FakeWarehouse, Used
from tests.unit.dagster_project.months import MONTH, Month, a_month, close_bare

DEMO = DemoInput(month=MONTH)


@pytest.fixture
def month(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Month:
    """October, closed; upgrade is on enterprise with a million tokens of overage."""
    found = a_month(tmp_path)
    found.warehouse.events.append(
        Used("upgrade", "tokens", at("10-21"), units(20_000_000), offset=3)
    )
    close_bare(found, MONTH)

    @contextmanager
    def reader(settings: Settings) -> Iterator[FakeWarehouse]:
        yield found.warehouse

    monkeypatch.setattr(afterwards, "usage_reader", reader)
    monkeypatch.setattr(afterwards, "usage_log", lambda settings: found.log)
    return found


def test_who_has_most_overage_and_no_limit_is_chosen(month: Month) -> None:
    assert afterwards._chosen(month.ledger, MONTH) == "upgrade"


def test_what_came_late_is_told_with_the_lines_that_correct_it(month: Month) -> None:
    assert afterwards.late_usage(Settings(), DEMO, month.ledger) == []
    month.warehouse.events.append(
        Used("upgrade", "tokens", at("10-31 23:00"), units(2_000_000), offset=10)
    )
    month.log.end = month.log.landing = Vector({(1, 0): 11})
    [late] = afterwards.late_usage(Settings(), DEMO, month.ledger)
    assert (late.tenant, late.events, late.amount_minor) == ("upgrade", 1, 1000)
    [line] = late.corrected_by
    assert (line.kind, line.quantity, line.amount_minor) == ("correction", "2000000", 1000)


def test_the_draft_that_ships_makes_some_pay_more_and_some_less(month: Month) -> None:
    [usd] = afterwards.simulated(DEMO, month.ledger)
    assert (usd.tenants, usd.winners, usd.losers) == (2, 1, 1)
    assert usd.before_minor == sum(it.total_minor for it in month.ledger.invoices(MONTH))
    assert afterwards.simulated(DemoInput(draft=None), month.ledger) == []
