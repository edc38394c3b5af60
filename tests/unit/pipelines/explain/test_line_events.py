"""Which events are behind which line, whatever was left of what is included when they came."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.explain.line_events import Told, usage_lines
from pipelines.explain.line_words import block, evidence_of
from pipelines.explain.lines_with_events import events_of
from pipelines.invoices.books import Books
from pipelines.rating.rating import beyond
from schemas.errors import NotFound
from schemas.evidence import EventsOf, Evidence
from schemas.invoice import Invoice, InvoiceLine, LineKind
from tests.builders import OCTOBER, units
from tests.unit.pipelines.close.test_closing import MONTH, World


@pytest.fixture(scope="module")
def world() -> World:
    """October, closed."""
    closed = World()
    closed.close()
    return closed


@pytest.fixture(scope="module")
def books(world: World) -> Books:
    return Books(MONTH, world.ledger)


def lines_of(books: Books, *lines: InvoiceLine) -> list[EventsOf]:
    """What is asked for each line of an invoice that has these."""
    invoice = Invoice("i", "design", "s", MONTH, "USD", lines, b"", "")
    return [each.asked for each in usage_lines(invoice, books)]


def a_line(kind: LineKind, micro: int, value: str | None = None) -> InvoiceLine:
    return InvoiceLine(kind, "pro", OCTOBER, 0, "tokens", micro, value=value)


def over(left: int | None, events: Sequence[int]) -> int:
    """What the statement makes of events: those beyond what is left."""
    reached = [sum(events[: place + 1]) for place in range(len(events))]
    if left is None:
        return 0
    return sum(
        max(0, now - left) - max(0, now - own - left)
        for now, own in zip(reached, events, strict=True)
    )


@given(
    before=st.integers(0, 10**9),
    included=st.integers(0, 10**9),
    events=st.lists(st.integers(-(10**9), 10**9), max_size=9),
)
def test_what_lies_beyond_is_told_from_the_lines_alone(
    books: Books, before: int, included: int, events: list[int]
) -> None:
    total = sum(events)
    past = beyond(before + total, included) - beyond(before, included)
    made = [("included", total - past), ("overage", past)]
    lines = [a_line(kind, micro) for kind, micro in made if micro]  # type: ignore[arg-type]
    for asked in lines_of(books, *lines):
        assert over(asked.left_micro, events) == past


def test_a_line_s_events_are_those_of_its_time_and_as_of_the_closing(books: Books) -> None:
    [invoice] = [each for each in books.invoices if each.tenant == "design"]
    before, within, past = (each.asked for each in usage_lines(invoice, books))
    assert (before.tenant, before.meter, before.as_of) == ("design", "tokens", books.closing.vector)
    assert before.period.end_ms == within.period.start_ms
    assert within == past
    assert within.left_micro == units(700_000) - 195_483_870_968


def test_values_have_events_of_their_own_but_where_a_line_tells_none_apart(books: Books) -> None:
    by_value = [a_line("included", 5, "a"), a_line("overage", 2, "a"), a_line("overage", 3, "")]
    assert [(it.value, it.left_micro) for it in lines_of(books, *by_value)][:2] == [("a", 5)] * 2
    assert lines_of(books, *by_value)[2].value == ""
    with_trial = [a_line("included", 5, "a"), a_line("not_billed", 2)]
    assert [it.value for it in lines_of(books, *with_trial)] == [None, None]


@pytest.mark.parametrize(
    ("number", "why"), [(1, "is a base_fee"), (7, "lines 1 to 6"), (0, "not 0")]
)
def test_a_line_without_events_is_not_found(
    world: World, books: Books, number: int, why: str
) -> None:
    [invoice] = [each for each in books.invoices if each.tenant == "design"]
    with pytest.raises(NotFound, match=why):
        events_of(invoice, number, world.ledger)


def test_the_words_say_how_much_of_the_events_is_in_the_line(world: World, books: Books) -> None:
    [invoice] = [each for each in books.invoices if each.tenant == "design"]
    of = events_of(invoice, 6, world.ledger)
    found = Evidence(
        3, units(700_000), "ab", 2, units(700_000) - 195_483_870_968, 2, 195_483_870_968
    )
    assert list(evidence_of(Told(of, found))) == [
        "2 of 3 events lie in this line in whole or in part, together 195,483.870968 of 700,000",
        "which is the line's quantity",
        "digest of all 3 events: ab",
    ]
    less = Evidence(2, units(5), "ab", 1, units(5), 0, 0)
    assert "BUT THE LINE SAYS 195,483.870968" in list(evidence_of(Told(of, less)))


def test_a_line_s_block_has_its_steps() -> None:
    text = "Invoice\nbase_fee  x\noverage  y\n    one\n    two\ntotal  z\n"
    assert block(text, 2) == "overage  y\n    one\n    two"
