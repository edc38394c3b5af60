"""The three figures of a closed month now: what differs is found without looking at all of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipelines.checks.month_ways import as_of_now
from schemas.invoice import InvoiceState
from schemas.quantity import MOST_MICRO
from schemas.vector import Vector
from tests.builders import at, units
from tests.fake_warehouse import Used
from tests.unit.pipelines.close.test_closing import MONTH, World

FATES = st.lists(st.sampled_from(("stays", "stays", "lost", "uncounted")), min_size=12, max_size=12)
UNCOUNTED = ("stays",) * 4 + ("uncounted",) * 2 + ("stays",) * 6
"""Six million tokens of upgrade, which no counter saw."""
HIDDEN = ("upgrade", "tokens")
"""Whose counter saw as much twice."""


@dataclass(frozen=True)
class Since:
    """What became of a closed month: of each event's rows, of the log, of an invoice."""

    fates: Sequence[str] = ("stays",) * 12
    landed: int = 5
    counted: int = 5
    void: str | None = None
    repeats: Mapping[tuple[str, str], int] = field(default_factory=dict)


SINCE = st.builds(
    Since,
    FATES,
    st.sampled_from((5, 10)),
    st.sampled_from((3, 5, 10)),
    st.sampled_from((None, "design", "idle")),
    st.dictionaries(st.just(("upgrade", "tokens")), st.just(10**6)),
)


def closed(since: Since) -> World:
    """October closed, and what became of it."""
    world = World()
    world.close()
    told = zip(world.warehouse.events, since.fates, strict=True)
    world.warehouse.events = [
        replace(event, counted=fate != "uncounted") for event, fate in told if fate != "lost"
    ]
    world.warehouse.repeats = dict(since.repeats)
    world.log.end = world.log.landing = Vector({(1, 0): since.landed})
    world.warehouse.counters_at = Vector({(1, 0): since.counted})
    if since.void is not None:
        [invoice] = world.ledger.invoices(MONTH, tenant=since.void)
        world.ledger.put(replace(invoice, state=InvoiceState.VOID))
    return world


@settings(max_examples=30)
@given(SINCE)
@example(Since(landed=10))
@example(Since(UNCOUNTED))
@example(Since(void="design"))
@example(Since(repeats={("upgrade", "input_tokens"): 5}))
@example(Since(counted=1))
@example(Since((*UNCOUNTED[:5], *["stays"] * 7), repeats={HIDDEN: units(6_000_000)}))
@example(Since(fates=("lost",) * 2 + ("stays",) * 10))
def test_all_that_differs_is_found(since: Since) -> None:
    world = closed(since)
    read = world.ledger, world.warehouse, world.log
    every, found = as_of_now(MONTH, *read, every=True), as_of_now(MONTH, *read)
    assert found.count == every.count == len(every.rows)
    assert found.rows == [row for row in every.rows if row.causes]


def test_more_than_can_be_said_in_two_plans_is_held_and_not_lost() -> None:
    world = World(max_held=0.5)
    days = "10-05", "10-20"  # under pro, and under enterprise
    world.warehouse.events += [Used("upgrade", "tokens", at(d), MOST_MICRO, 0, 4) for d in days]
    world.close()
    every = as_of_now(MONTH, world.ledger, world.warehouse, world.log, every=True)
    assert [row.causes for row in every.rows if (row.tenant, row.meter) == HIDDEN] == [[]]


def test_each_cause_is_among_what_is_found() -> None:
    since = Since(UNCOUNTED, landed=10, void="idle", repeats={("upgrade", "input_tokens"): 5})
    world = closed(since)
    rows = as_of_now(MONTH, world.ledger, world.warehouse, world.log).rows
    told = {cause for row in rows for cause in row.causes}
    assert told == {"late", "duplicate", "in flight", "lost"}
