"""History under other prices: the live ones give the real invoices, others what they would make."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.close import closing, opening
from pipelines.reports.simulation import Simulated, over_months, simulate, unused_names
from schemas.catalog import Catalog
from schemas.errors import BillingError, InvalidInput, NotFound
from schemas.ledger_ports import ClosingLedger
from schemas.subscription import Subscription
from schemas.vector import Vector
from tests.builders import OCTOBER, a_subscription
from tests.fake_warehouse import FakeLog, FakeWarehouse, Used
from tests.fakes import FakeLedger
from tests.unit.pipelines.adjustments.builders import METERS
from tests.unit.pipelines.adjustments.strategies import _has, catalogs, lives
from tests.unit.pipelines.close.test_closing import MONTH
from tests.unit.pipelines.close.test_closing_adjusted import Adjusted, offers

NOTHING_RENAMED: dict[str, str] = {}
END = Vector({(1, 0): 1000})


def closed(ledger: FakeLedger, events: list[Used]) -> FakeLedger:
    """The ledger with October closed."""
    closed_by(ledger, FakeWarehouse(events, END), END)
    return ledger


def closed_by(ledger: ClosingLedger, usage: FakeWarehouse, end: Vector) -> None:
    """Close October, whose log ends there."""
    log = FakeLog(end, end)
    opening.open_closing(
        MONTH, ledger, log, usage, lambda: OCTOBER.end_ms, code_version="1", grace_ms=0
    )
    closing.aggregate_usage(MONTH, ledger, usage)
    closing.rate_charges(MONTH, ledger)
    closing.prorate_fees(MONTH, ledger)
    closing.draft_invoices(MONTH, ledger)
    closing.reconcile(MONTH, ledger, usage, log, max_held=1)
    closing.finalize(MONTH, ledger, lambda: OCTOBER.end_ms, seller="seller")


@st.composite
def events(draw: st.DrawFn, tenants: list[str]) -> list[Used]:
    """Any tenant's events of any priced meter, in October."""
    seconds = st.integers(0, OCTOBER.duration_ms // 1000 - 1)
    found = draw(
        st.lists(
            st.tuples(
                st.sampled_from(tenants),
                st.sampled_from(METERS),
                seconds,
                st.integers(0, 10**12),
            ),
            max_size=30,
        )
    )
    return [
        Used(tenant, meter, OCTOBER.start_ms + second * 1000, micro, 0, offset)
        for offset, (tenant, meter, second, micro) in enumerate(found)
    ]


@st.composite
def months(draw: st.DrawFn) -> FakeLedger:
    """A closed month of tenants on the newest price list, with offers of an older one kept."""
    versions = {1: draw(catalogs()), 2: draw(catalogs())}
    found = [
        _on_newest(each, f"t{place:02}", draw(st.sampled_from((1, 1, 10, 31))))
        for place, each in enumerate(draw(st.lists(lives(), min_size=4, max_size=12)))
    ]
    ledger = FakeLedger(versions, found)
    for each in found:
        for name, rows in draw(_has(each.tenant)).items():
            ledger.has[name] += rows
    return closed(ledger, draw(events([each.tenant for each in found])))


def _on_newest(life: Subscription, tenant: str, anchor_day: int) -> Subscription:
    segments = tuple(replace(each, catalog_version=2) for each in life.segments)
    named = {"id": f"sub_{tenant}", "tenant": tenant}
    return replace(life, segments=segments, anchor_day=anchor_day, **named)


@settings(max_examples=5)
@given(months())
def test_the_live_price_list_gives_the_real_invoices(ledger: FakeLedger) -> None:
    before = ledger.contents()
    simulated = simulate(MONTH, ledger.sold[2], ledger, NOTHING_RENAMED)
    assert simulated.drafted == simulated.billed
    assert simulated.billed == {(i.tenant, i.currency): i.total_minor for i in _invoices(ledger)}
    assert ledger.contents() == before


def _invoices(ledger: FakeLedger) -> list[Any]:
    return ledger.invoices(MONTH)


@pytest.fixture
def world() -> Adjusted:
    adjusted = Adjusted()
    adjusted.close()
    return adjusted


def draft(**plans: dict[str, Any]) -> Catalog:
    """The price list in force with other terms of some plans."""
    body = json.loads(offers().model_dump_json())
    for name, terms in plans.items():
        body["plans"][name] |= terms
    return Catalog.model_validate(body)


def changes(found: Simulated) -> dict[str, int]:
    return {move.tenant: move.change_minor for move in found.moves if move.change_minor}


def test_a_dearer_plan_costs_its_subscribers_their_share_with_discount_and_tax(
    world: Adjusted,
) -> None:
    dearer = draft(pro={"base_fee": {"USD": "99.99", "CNY": "349"}})
    found = simulate(MONTH, dearer, world.ledger, NOTHING_RENAMED)
    # design: 16 of 31 days of 50.00 more are 25.81, less 20%, with 19% VAT; upgrade: 10 days.
    assert changes(found) == {"design": 2458, "upgrade": 1612}
    assert found.billed == {(i.tenant, i.currency): i.total_minor for i in _invoices(world.ledger)}


def test_a_plan_that_is_missing_is_refused_and_may_be_renamed(world: Adjusted) -> None:
    body = json.loads(offers().model_dump_json())
    body["plans"]["team"] = body["plans"].pop("pro")
    renamed = Catalog.model_validate(body)
    refusal = r"2 tenants have the plan pro, .* --map pro=PLAN, one of free, enterprise, team"
    with pytest.raises(InvalidInput, match=refusal):
        simulate(MONTH, renamed, world.ledger, NOTHING_RENAMED)
    assert not changes(simulate(MONTH, renamed, world.ledger, {"pro": "team"}))


def _without_currency() -> Catalog:
    body = json.loads(offers().model_dump_json())
    body["currencies"] = ["USD"]
    return Catalog.model_validate(body)


def _with_meter(**terms: Any) -> Catalog:
    body = json.loads(offers().model_dump_json())
    body["meters"]["tokens"] |= terms
    return Catalog.model_validate(body)


def _with_new_meter() -> Catalog:
    body = json.loads(offers().model_dump_json())
    body["meters"]["calls"] = {"event_type": "call", "aggregation": "count"}
    body["plans"]["pro"]["meters"]["calls"] = {"included": "0"}
    return Catalog.model_validate(body)


@pytest.mark.parametrize(
    ("catalog", "renamed", "refusal"),
    [
        (_without_currency(), {}, "1 tenant pays in CNY, in which the draft has no prices"),
        (_with_meter(value=["input_tokens"]), {}, "defines value of tokens otherwise"),
        (_with_new_meter(), {}, "prices calls, which history has no usage of"),
        (offers(), {"pro": "max"}, "--map pro=max: the draft has free, pro, enterprise"),
    ],
)
def test_what_history_cannot_be_priced_by_is_refused(
    catalog: Catalog, renamed: dict[str, str], refusal: str, world: Adjusted
) -> None:
    with pytest.raises(InvalidInput, match=refusal):
        simulate(MONTH, catalog, world.ledger, renamed)


def test_only_closed_months_are_history(world: Adjusted) -> None:
    with pytest.raises(NotFound, match="2026-11 was not opened"):
        simulate("2026-11", offers(), world.ledger, NOTHING_RENAMED)


def test_a_plan_that_nobody_had_is_misspelt(world: Adjusted) -> None:
    unused_names({"pro": "free"}, [MONTH], world.ledger)
    with pytest.raises(BillingError, match="nobody had prp; there were enterprise, free, pro"):
        unused_names({"prp": "free"}, [MONTH], world.ledger)


def test_months_are_told_together_by_tenant() -> None:
    months = [
        Simulated(month, {("acme", "USD"): 100}, {("acme", "USD"): 100 + more})
        for month, more in (("2026-09", 20), ("2026-10", -5))
    ]
    [move] = over_months(months)
    assert (move.before_minor, move.after_minor) == (200, 215)


def test_a_life_on_an_older_price_list_is_priced_by_the_draft() -> None:
    sold = {1: offers(), 2: draft(pro={"base_fee": {"USD": "60", "CNY": "0"}})}
    ledger = closed(FakeLedger(sold, [a_subscription("pro 09-01", version=1)]), [])
    assert changes(simulate(MONTH, sold[2], ledger, NOTHING_RENAMED)) == {"acme": 1001}
    assert not changes(simulate(MONTH, sold[1], ledger, NOTHING_RENAMED))
