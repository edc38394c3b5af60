"""Usage that comes after the close: found, corrected once, and in the end billed as if on time."""

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.close import closing, opening
from pipelines.close.closing import StepReport
from pipelines.close.verification import verify
from pipelines.corrections.late_listing import late_usage
from pipelines.corrections.late_usage import corrections_by
from pipelines.reports.preview import upcoming_invoices
from schemas.catalog import Catalog
from schemas.invoice import CORRECTION_KINDS, Invoice, InvoiceState
from schemas.period import BillingPeriod
from schemas.ports import Clock
from schemas.subscription import Subscription
from schemas.vector import Vector
from tests.builders import a_subscription, at, llm_tokens, units
from tests.fake_warehouse import FakeLog, FakeWarehouse, Used
from tests.fakes import FakeLedger, Killed
from tests.strategies import VALUES, catalogs, quantities, subscriptions
from tests.unit.pipelines.adjustments import strategies as adjusted

M = 1_000_000
HOUR_MS = 3_600_000
ON = ("all", "fees", "usage")
MONTHS = ("2026-09", "2026-10", "2026-11", "2026-12")


@dataclass
class World:
    """Months closed one after another while usage goes on coming; an event's offset is its place.

    Each close reads the log up to the offset that it is given.
    """

    ledger: FakeLedger
    events: list[Used] = field(default_factory=list)
    now_ms: int = 0

    def __post_init__(self) -> None:
        self.warehouse = FakeWarehouse(self.events)

    def open(self, month: str, until: int | None = None) -> FakeLog:
        end = Vector({(1, 0): len(self.events) if until is None else until})
        log = FakeLog(end, end)
        opening.open_closing(
            month, self.ledger, log, self.warehouse, self._clock(month),
            code_version="1", grace_ms=0, without_counters="not here",
        )  # fmt: skip
        return log

    def close(self, month: str, until: int | None = None) -> list[StepReport]:
        log = self.open(month, until)
        return [
            closing.aggregate_usage(month, self.ledger, self.warehouse),
            closing.rate_charges(month, self.ledger),
            closing.prorate_fees(month, self.ledger),
            closing.draft_invoices(month, self.ledger),
            closing.reconcile(month, self.ledger, self.warehouse, log, max_held=1),
            closing.finalize(month, self.ledger, self._clock(month), seller="seller"),
        ]

    def _clock(self, month: str) -> Clock:
        """An hour after the month's end, or when the world says."""
        return lambda: max(BillingPeriod.month(month).end_ms + HOUR_MS, self.now_ms)

    def send(self, *late: tuple[str, str, int]) -> None:
        for tenant, when, tokens in late:
            self.events.append(_event(tenant, at(when), units(tokens), len(self.events)))

    def invoice(self, month: str, tenant: str = "acme") -> Invoice:
        [invoice] = self.ledger.invoices(month, tenant=tenant)
        return invoice

    def corrections(self, month: str, tenant: str = "acme") -> list[tuple[str, int | None, int]]:
        return [
            (line.kind, line.quantity_micro and line.quantity_micro // M, line.amount_minor)
            for invoice in self.ledger.invoices(month, tenant=tenant)
            for line in invoice.lines
            if line.kind in CORRECTION_KINDS
        ]


def _event(tenant: str, time_ms: int, micro: int, offset: int) -> Used:
    return Used(tenant, "tokens", time_ms, micro, 0, offset)


def a_world(catalog: Catalog | None = None, *others: Subscription) -> World:
    """One tenant on pro: 1 M tokens included, 8.00 a further million; October has 1.5 M."""
    ledger = FakeLedger({1: catalog or llm_tokens()}, [a_subscription("pro 09-01"), *others])
    world = World(ledger)
    world.send(("acme", "10-10", 1_500_000))
    world.close("2026-10")
    return world


def test_late_usage_becomes_a_line_of_the_next_invoice() -> None:
    world = a_world()
    assert world.invoice("2026-10").total_minor == 4999 + 400
    world.send(("acme", "10-31 23:00", 250_000), ("acme", "11-05", 10))
    assert world.close("2026-11")[0].counts["corrections"] == 1
    assert world.corrections("2026-11") == [("correction", 250_000, 200)]
    assert world.invoice("2026-11").total_minor == 4999 + 200
    assert world.invoice("2026-10").total_minor == 4999 + 400


def test_a_second_batch_corrects_only_what_is_new() -> None:
    world = a_world()
    world.send(("acme", "10-31", 250_000))
    world.close("2026-11")
    world.send(("acme", "10-31", 125_000), ("acme", "11-30", 2_000_000))
    world.close("2026-12")
    assert world.corrections("2026-12") == [
        ("correction", 125_000, 100),
        ("correction", 2 * M, 800),
    ]


def test_a_negative_correction_is_given_back() -> None:
    world = a_world()
    world.send(("acme", "10-31", -300_000))
    world.close("2026-11")
    assert world.corrections("2026-11") == [("correction", -300_000, -240)]


def test_a_month_that_is_closed_after_a_later_one_corrects_nothing_of_it() -> None:
    world = a_world()
    world.send(("acme", "10-31", 250_000))
    world.now_ms = BillingPeriod.month("2026-10").end_ms + 2 * HOUR_MS
    world.close("2026-09")
    assert world.corrections("2026-09") == []
    world.close("2026-11")
    assert world.corrections("2026-11") == [("correction", 250_000, 200)]


def test_closing_again_and_being_killed_anywhere_change_nothing() -> None:
    before_it = a_world()
    before_it.send(("acme", "10-31", 250_000))
    begun = len(before_it.ledger.writes)
    undisturbed = deepcopy(before_it)
    undisturbed.close("2026-11")
    for write in range(begun + 1, len(undisturbed.ledger.writes) + 1):
        killed = deepcopy(before_it)
        killed.ledger.dies_at = write
        with pytest.raises(Killed):
            killed.close("2026-11")
        killed.ledger.dies_at = None
        killed.close("2026-11")
        assert killed.ledger.contents() == undisturbed.ledger.contents()
    before = undisturbed.ledger.contents()
    undisturbed.close("2026-11")
    assert undisturbed.ledger.contents() == before


def with_policy(**policy: object) -> Catalog:
    body = llm_tokens().model_dump(mode="json") | {"late_usage": policy}
    return Catalog.model_validate_json(json.dumps(body))


@pytest.mark.parametrize(
    ("policy", "november"),
    [
        ({}, 4999 + 200),
        ({"threshold": {"USD": "2.01"}}, 4999),
        ({"corrected_by": "note"}, 4999),
    ],
)
def test_the_next_invoice_is_previewed_with_it(policy: dict[str, Any], november: int) -> None:
    world = a_world(with_policy(**policy))
    world.send(("acme", "10-31", 250_000))
    landed = Vector({(1, 0): len(world.events)})
    now = at("11-10")
    [found] = upcoming_invoices("2026-11", world.ledger, world.warehouse, landed, now)
    assert (found.fees.amount_minor, found.so_far.amount_minor) == (4999, november)
    assert found.projected == found.so_far
    world.close("2026-11")
    invoices = world.ledger.invoices("2026-11")
    assert [it.total_minor for it in invoices if it.kind == "invoice"] == [november]


def test_below_the_threshold_it_is_carried_on_until_there_is_more() -> None:
    world = a_world(with_policy(threshold={"USD": "2.00"}))
    world.send(("acme", "10-31", 200_000))
    world.close("2026-11")
    assert world.corrections("2026-11") == []
    world.send(("acme", "10-31", 200_000))
    world.close("2026-12")
    assert world.corrections("2026-12") == [("correction", 400_000, 320)]


def test_by_policy_it_is_a_note_of_its_own() -> None:
    world = a_world(with_policy(corrected_by="note"))
    world.send(("acme", "10-31", 250_000))
    world.close("2026-11")
    invoice, note = world.ledger.invoices("2026-11")
    assert (invoice.total_minor, note.total_minor) == (4999, 200)
    assert (note.kind, note.corrects) == ("note", world.invoice("2026-10").id)
    assert note.state is InvoiceState.FINALIZED
    world.close("2026-12")
    assert world.corrections("2026-12") == []


def test_where_no_invoice_follows_there_is_a_note() -> None:
    world = World(FakeLedger({1: llm_tokens()}, [a_subscription("pro 09-01 .. 11-01")]))
    world.send(("acme", "10-10", 1_500_000))
    world.close("2026-10")
    world.send(("acme", "10-31", 250_000))
    world.close("2026-11")
    [note] = world.ledger.invoices("2026-11")
    assert (note.kind, note.total_minor) == ("note", 200)


def test_who_was_on_time_is_not_computed_again() -> None:
    world = a_world(None, a_subscription("pro 09-01", "bolt"))
    world.send(("acme", "10-31", 1))
    world.close("2026-11")
    found = corrections_by(world.ledger.closings["2026-11"], world.ledger, world.warehouse)
    assert [each.tenant for each in found] == ["acme"]


@st.composite
def sent(draw: st.DrawFn, tenants: Sequence[str]) -> list[list[Used]]:
    """Usage in four batches, of September to November, offsets in the order of arrival."""
    span = st.integers(at("09-01"), at("12-01") - 1)
    one = st.tuples(
        st.sampled_from(tenants),
        st.sampled_from([("tokens", value) for value in VALUES] + [("calls", "")]),
        span,
        quantities(),
    )
    batches = draw(st.lists(st.lists(one, max_size=5), min_size=4, max_size=4))
    offset, found = 0, []
    for batch in batches:
        own = []
        for tenant, (meter, value), time_ms, micro in batch:
            own.append(Used(tenant, meter, time_ms, micro, 0, offset, value=value))
            offset += 1
        found.append(own)
    return found


def billed(ledger: FakeLedger) -> dict[tuple[str, str], int]:
    """What invoices and notes that stand come to by tenant and currency, before credits pay."""
    sums: Counter[tuple[str, str]] = Counter()
    for invoice in ledger.invoices_of({each.tenant for each in ledger.subscribed}):
        sums[invoice.tenant, invoice.currency] += invoice.total_minor + invoice.credits_minor
    return {key: total for key, total in sums.items() if total}


def closed_as_it_came(ledger: FakeLedger, batches: Sequence[Iterable[Used]]) -> World:
    events = [event for batch in batches for event in batch]
    world, until = World(ledger, events), 0
    for month, batch in zip(MONTHS, batches, strict=True):
        until += len(list(batch))
        world.close(month, until)
    return world


def closed_on_time(ledger: FakeLedger, batches: Sequence[Iterable[Used]]) -> FakeLedger:
    world = World(ledger, [event for batch in batches for event in batch])
    for month in MONTHS:
        world.close(month)
    return ledger


@settings(max_examples=8)
@given(st.data())
def test_invoices_and_corrections_are_the_invoices_of_usage_on_time(data: st.DataObject) -> None:
    catalog = data.draw(catalogs(with_policies=True))
    everyone = {s.tenant: s for s in data.draw(st.lists(subscriptions(), min_size=1, max_size=3))}
    batches = data.draw(sent(sorted(everyone)))
    late, on_time = (FakeLedger({1: catalog}, list(everyone.values())) for _ in range(2))
    closed_as_it_came(late, batches)
    assert billed(late) == billed(closed_on_time(on_time, batches))


@st.composite
def offers(draw: st.DrawFn) -> Catalog:
    """A price list with any prices, and with limits, discounts, taxes and a policy of its own."""
    body, other = (
        draw(strategy).model_dump(mode="json") for strategy in (catalogs(), adjusted.catalogs())
    )
    for name, plan in body["plans"].items():
        plan |= {term: other["plans"][name][term] for term in ("minimum", "maximum")}
        discount = other["plans"][name]["discount"]
        plan["discount"] = discount and discount | {"on": draw(st.sampled_from(ON))}
    body["taxes"] = other["taxes"]
    body["coupons"] = {"ANY": {"percent": "10%", "on": "all", "lasts": "forever"}}
    body["late_usage"] = {"corrected_by": draw(st.sampled_from(("line", "note")))}
    return Catalog.model_validate_json(json.dumps(body))


@settings(max_examples=8)
@given(st.data())
def test_so_it_is_with_limits_discounts_taxes_credits_and_notes(data: st.DataObject) -> None:
    catalog = data.draw(offers())
    everyone = {s.tenant: s for s in data.draw(st.lists(subscriptions(), min_size=1, max_size=3))}
    batches = data.draw(sent(sorted(everyone)))
    has: dict[str, list[tuple[Any, ...]]] = {
        "buyers": [
            (name, data.draw(st.sampled_from(("DE", "US"))), None, None) for name in everyone
        ],
        "redemptions": [(name, "ANY", 1, at("10-05"), None) for name in sorted(everyone)],
        "credits": [(name, "gift", "USD", 900, at("09-01"), None, 50, 900) for name in everyone],
    }
    late, on_time = (FakeLedger({1: catalog}, list(everyone.values())) for _ in range(2))
    for ledger in (late, on_time):
        ledger.has |= has
    world = closed_as_it_came(late, batches)
    assert billed(late) == billed(closed_on_time(on_time, batches))
    assert verify(MONTHS[-1], late, world.warehouse).differences == ()


def test_what_came_late_is_listed_with_what_it_changes() -> None:
    world = a_world()
    world.send(("acme", "10-31", 250_000), ("stranger", "10-31", 7), ("acme", "11-02", 1))
    end = Vector({(1, 0): len(world.events)})
    listed = late_usage(world.ledger, world.warehouse, end)
    assert [(it.month, it.tenant, it.open_minor, it.corrected_minor) for it in listed] == [
        ("2026-10", "acme", 200, 0),
        ("2026-10", "stranger", 0, 0),
    ]
    assert [(row.meter, row.events, row.quantity_micro) for row in listed[0].rows] == [
        ("tokens", 1, units(250_000))
    ]
    world.close("2026-11")
    [acme, _] = late_usage(world.ledger, world.warehouse, end, ["2026-10"])
    assert (acme.open_minor, acme.corrected_minor) == (0, 200)
    assert acme.corrected_in == (world.invoice("2026-11").number,)
