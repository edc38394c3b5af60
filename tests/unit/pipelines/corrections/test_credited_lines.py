"""A credit note for a line has the tax on it, also where the line corrects an earlier month."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.corrections.invoice_corrections import Word, credit
from schemas.errors import InvalidInput
from schemas.extras import Kept
from schemas.invoice import Invoice, InvoiceLine, LineKind
from schemas.offers import Product
from tests.builders import OCTOBER
from tests.fakes import FakeLedger

SEPTEMBER = OCTOBER.before
WORD = Word("ada", "a gift", OCTOBER.end_ms)


class OneInvoice(FakeLedger):
    """A ledger with one invoice, which issues whatever it is given."""

    def __init__(self, *lines: InvoiceLine) -> None:
        super().__init__({})
        only = Invoice("a:2026-10", "acme", "a", "2026-10", "USD", lines, b"{}", "")
        self._only = replace(only, number="1")

    def invoice(self, number: str) -> Invoice:
        return self._only

    def issue_credit_note(self, note: Invoice, *told: object) -> tuple[Invoice, Kept]:
        return note, "added"


def credited(place: int, *lines: InvoiceLine) -> tuple[int, int | None]:
    """Amount and tax of the note for a line."""
    ledger: Any = OneInvoice(*lines)
    [line] = credit("1", ledger, WORD, seller="seller", line=place)[0].lines
    return line.amount_minor, line.tax_minor


def late(minor: int, meter: str = "tokens") -> InvoiceLine:
    return InvoiceLine("correction", "pro", SEPTEMBER, minor, meter, 10**6)


def tax(adds: int, holds: int, name: str = "VAT") -> InvoiceLine:
    return InvoiceLine("correction_tax", "pro", SEPTEMBER, adds, name=name, tax_minor=holds)


FEE = InvoiceLine("base_fee", "pro", OCTOBER, 4999, fee_minor=4999)
OF_FEE = InvoiceLine("tax", "pro", OCTOBER, 1000, name="VAT", base_minor=4999, tax_minor=1000)


@pytest.mark.parametrize(
    ("place", "lines", "expected"),
    [
        (1, (FEE, OF_FEE, late(200), tax(40, 40)), (-5999, -1000)),
        # 20 % on top of 2.00, and within it
        (3, (FEE, OF_FEE, late(200), tax(40, 40)), (-240, -40)),
        (3, (FEE, OF_FEE, late(200), tax(0, 33)), (-200, -33)),
        # two meters have one line of tax: 0.60 on 3.00 is 0.40 on 2.00
        (1, (late(200), late(100, "calls"), tax(60, 60)), (-240, -40)),
        (2, (late(200), late(100, "calls"), tax(60, 60)), (-120, -20)),
        # one given back beside one that is charged: 0.20 on 1.00 is 1.00 on 5.00
        (1, (late(500), late(-400, "calls"), tax(20, 20)), (-600, -100)),
        (1, (late(100), late(-500, "calls"), tax(-80, -80)), (-120, -20)),
        (1, (late(200), tax(40, 40), tax(10, 10, "GST")), (-250, -50)),
        # nothing says how much of no tax is on one of them
        (1, (late(500), late(-500, "calls")), (-500, None)),
    ],
)
def test_a_line_is_credited_with_the_tax_on_it(
    place: int, lines: tuple[InvoiceLine, ...], expected: tuple[int, int | None]
) -> None:
    assert credited(place, *lines) == expected


def beside(kind: LineKind, product: Product, rate: int) -> tuple[InvoiceLine, InvoiceLine]:
    """Something for 10.00 by its name, and its tax of so many per cent."""
    own = InvoiceLine(kind, "pro", OCTOBER, 1000, name="x")
    taxed: dict[str, Any] = {
        "name": "VAT",
        "product": product,
        "rate_ppm": rate * 10_000,
        "base_minor": 1000,
    }
    return own, InvoiceLine("tax", "pro", OCTOBER, rate * 10, tax_minor=rate * 10, **taxed)


@pytest.mark.parametrize(("place", "expected"), [(1, (-1190, -190)), (2, (-1070, -70))])
def test_what_costs_as_much_and_is_taxed_otherwise_keeps_its_own_tax(
    place: int, expected: tuple[int, int]
) -> None:
    (seats, of_seats), (setup, of_setup) = (
        beside("add_on", "add_ons", 19),
        beside("item", "items", 7),
    )
    assert credited(place, seats, setup, of_seats, of_setup) == expected


def test_a_tax_alone_is_not_credited() -> None:
    for place in (2, 4):
        with pytest.raises(InvalidInput, match=f"line {place} of 1 charges nothing to credit"):
            credited(place, FEE, OF_FEE, late(200), tax(40, 40))


@given(st.lists(st.integers(1, 10**6), min_size=1, max_size=5), st.integers(0, 10**6))
def test_the_parts_of_a_tax_come_to_it_but_for_their_rounding(
    amounts: list[int], tax_minor: int
) -> None:
    lines = [*map(late, amounts), tax(tax_minor, tax_minor)]
    places = range(1, len(amounts) + 1)
    parts = [-(credited(place, *lines)[1] or 0) for place in places]
    assert 2 * abs(sum(parts) - tax_minor) <= len(parts)
