"""Late readings of gauges, and late usage of periods that are no calendar months: in the end as if
all had been on time."""

from collections.abc import Iterator

from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.corrections.late_listing import late_rows, late_usage
from schemas.catalog import Catalog
from schemas.period import BillingPeriod
from schemas.subscription import Subscription
from schemas.vector import Vector
from tests.builders import a_subscription, at, llm_tokens, units
from tests.fake_warehouse import FakeWarehouse, Used
from tests.fakes import FakeLedger
from tests.plan_lives import a_life
from tests.unit.pipelines.close.test_closing_meters import CATALOG as OFFICE
from tests.unit.pipelines.corrections.test_late_usage import MONTHS, World, billed

ANNIVERSARIES = Catalog.model_validate(
    llm_tokens().model_dump(mode="json") | {"anniversary_billing": True}
)


class Gauges(FakeWarehouse):
    """A warehouse in which what was read before a period still holds in it."""

    def _events(self, month: BillingPeriod, as_of: Vector) -> Iterator[Used]:
        yield from super()._events(BillingPeriod(0, month.end_ms), as_of)

    def _between(self, period: BillingPeriod, after: Vector, until: Vector) -> Iterator[Used]:
        found = super()._between(period, after, until)
        yield from (event for event in found if period.contains(event.time_ms))


def a_world(catalog: Catalog, *subscriptions: Subscription) -> World:
    world = World(FakeLedger({1: catalog}, list(subscriptions)))
    world.warehouse = Gauges(world.events)
    return world


def read(world: World, *readings: tuple[str, int]) -> None:
    """What a gauge of disk space showed, in whole GB."""
    for when, gigabytes in readings:
        world.events.append(
            Used("acme", "storage", at(when), units(gigabytes), offset=len(world.events))
        )


def test_a_late_reading_of_a_gauge_corrects_its_month_and_those_it_holds_in() -> None:
    world = a_world(OFFICE, a_subscription("basic 09-01", "acme"))
    read(world, ("10-11", 2))
    world.close("2026-10")
    assert world.invoice("2026-10").total_minor == 504  # 2 GB for 21 days at 0.12 a GB-day
    world.close("2026-11")
    assert world.invoice("2026-11").total_minor == 720  # 2 GB for 30 days
    read(world, ("10-21", 1))
    world.close("2026-12")
    # 1 GB less for 11 days of October, and for all of November
    assert world.corrections("2026-12") == [("correction", -264, -132), ("correction", -720, -360)]
    assert world.invoice("2026-12").total_minor == 372 - 132 - 360


def test_a_reading_of_a_month_before_is_late_usage_of_the_month_it_holds_in() -> None:
    world = a_world(OFFICE, a_subscription("basic 09-01", "acme"))
    world.close("2026-10")
    read(world, ("09-20", 3))
    assert listed(world) == [("storage", 3)]
    world.close("2026-11")
    assert world.corrections("2026-11") == [("correction", 3 * 31 * 24, 31 * 36)]


def sixteenth(*newer: Catalog) -> World:
    """Periods from the 16th on: October's invoice has 16 September to 16 October."""
    world = a_world(ANNIVERSARIES, a_life("pro 09-16", 16))
    world.ledger.sold.update(enumerate(newer, start=2))
    world.send(("acme", "09-20", 1_000_000))
    world.close("2026-10")
    assert world.invoice("2026-10").total_minor == 4999
    return world


def listed(world: World) -> list[tuple[str, int]]:
    """What `usage late` and the sensor say of October."""
    end, october = Vector({(1, 0): len(world.events)}), world.ledger.closings["2026-10"]
    rows = late_rows(october, world.ledger, world.warehouse, end)
    found = late_usage(world.ledger, world.warehouse, end, ["2026-10"])
    assert [row for each in found for row in each.rows] == rows
    return [(row.meter, row.quantity_micro // units(1)) for row in rows]


def test_late_usage_of_the_month_before_belongs_to_the_period_that_it_lies_in() -> None:
    world = sixteenth()
    world.send(("acme", "09-20", 250_000))
    assert listed(world) == [("tokens", 250_000)]
    world.close("2026-11")
    assert world.corrections("2026-11") == [("correction", 250_000, 200)]


def test_usage_after_a_period_s_end_is_late_for_nobody() -> None:
    world = sixteenth()
    world.send(("acme", "10-16", 1_500_000))
    assert listed(world) == []
    world.close("2026-11")
    assert world.corrections("2026-11") == []
    assert world.invoice("2026-11").total_minor == 4999 + 400


def without_storage() -> Catalog:
    """The office's price list, which no longer offers disk space to whoever comes new."""
    body = OFFICE.model_dump(mode="json")
    for offered in (body, *body["plans"].values()):
        offered["meters"].pop("storage", None)
    return Catalog.model_validate(body)


def test_late_usage_is_found_by_the_price_lists_that_plans_go_on_by() -> None:
    world = sixteenth(llm_tokens())
    world.send(("acme", "09-20", 250_000))
    world.close("2026-11")
    assert world.corrections("2026-11") == [("correction", 250_000, 200)]
    office = a_world(OFFICE, a_subscription("basic 09-01", "acme"))
    office.ledger.sold[2] = without_storage()
    office.close("2026-10")
    read(office, ("09-20", 3))
    office.close("2026-11")
    assert office.corrections("2026-11") == [("correction", 3 * 31 * 24, 31 * 36)]


@st.composite
def sent(draw: st.DrawFn, tenants: list[str], meter: str) -> list[list[Used]]:
    """A meter's events of September to November in four batches, as they arrive."""
    one = st.tuples(
        st.sampled_from(tenants),
        st.integers(at("09-01"), at("12-01") - 1),
        st.integers(0, 3_000_000_000_000),
    )
    batches = draw(st.lists(st.lists(one, max_size=4), min_size=4, max_size=4))
    places = iter(range(16))
    return [
        [Used(tenant, meter, time_ms, micro, 0, next(places)) for tenant, time_ms, micro in batch]
        for batch in batches
    ]


def closed(
    catalog: Catalog, everyone: list[Subscription], batches: list[list[Used]], *, on_time: bool
) -> dict[tuple[str, str], int]:
    """What is billed in all, when each batch comes before its close, or all before the first."""
    world = a_world(catalog, *everyone)
    world.events += [event for batch in batches for event in batch]
    reached = 0
    for month, batch in zip(MONTHS, batches, strict=True):
        reached += len(batch)
        world.close(month, None if on_time else reached)
    return billed(world.ledger)


@settings(max_examples=5)
@given(st.data())
def test_gauges_are_billed_in_the_end_as_if_all_had_been_on_time(data: st.DataObject) -> None:
    everyone = [
        a_subscription("basic 09-01, better 10-16", "acme"),
        a_subscription("basic 09-10", "bolt"),
    ]
    batches = data.draw(sent(["acme", "bolt"], "storage"))
    late, on_time = (closed(OFFICE, everyone, batches, on_time=it) for it in (False, True))
    assert late == on_time


@settings(max_examples=5)
@given(st.data())
def test_so_are_periods_of_any_anchor(data: st.DataObject) -> None:
    everyone = [
        a_life("pro 09-16, enterprise 10-11", 16, tenant="acme"),
        a_life("pro 08-31", 31, tenant="bolt"),
        a_life("pro 09-01", 1, tenant="core"),
    ]
    batches = data.draw(sent(["acme", "bolt", "core"], "tokens"))
    late, on_time = (closed(ANNIVERSARIES, everyone, batches, on_time=it) for it in (False, True))
    assert late == on_time
