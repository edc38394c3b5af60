"""The pieces of a price say what the specification says, of every quantity."""

from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from pipelines.rating.costs import cost, to_minor
from pipelines.rating.price_pieces import WITHOUT_END, Piece, pieces
from schemas.money import divide_half_away
from schemas.prices import PriceModel
from tests.strategies import CURRENCIES, prices

_MODEL: TypeAdapter[PriceModel] = TypeAdapter(PriceModel)
_QUANTITIES = st.one_of(
    st.integers(1, 30_000_000 * 10**6), st.integers(1, 10**6), st.integers(1, WITHOUT_END)
)
NOTHING_IS_SAFE = [
    {"up_to": 632_180, "price": {"USD": "0.000007286985"}},
    {"price": {"USD": "0.000000000001"}},
]
"""What the first tier comes to is too much for 64 bits where the second begins."""


@given(prices(), st.sampled_from(CURRENCIES), st.data())
def test_a_quantity_costs_what_its_piece_says(
    body: dict[str, Any], currency: str, data: st.DataObject
) -> None:
    price = _MODEL.validate_python(body)
    found = pieces(price, currency)
    bounds = [each.upper_micro for each in found[:-1]]
    near = st.sampled_from(bounds or [1]).flatmap(lambda at: st.integers(max(at - 2, 1), at + 2))
    quantity = data.draw(st.one_of(_QUANTITIES, near))
    [own] = [each for each in found if each.lower_micro < quantity <= each.upper_micro]
    wanted = to_minor(cost(price, quantity, currency), currency)
    assert divide_half_away(_value(own, quantity), own.divisor) == wanted


@given(prices(), st.sampled_from(CURRENCIES))
@example({"model": "graduated", "tiers": NOTHING_IS_SAFE}, "USD")
def test_what_is_safe_fits_64_bits_and_no_more_does(body: dict[str, Any], currency: str) -> None:
    for each in pieces(_MODEL.validate_python(body), currency):
        last = each.safe_micro
        if last >= each.origin_micro:
            assert 2 * _value(each, last) + each.divisor <= WITHOUT_END
        # A piece says nothing of what is before its origin.
        after = max(last, each.origin_micro) + 1
        is_next_too_much = 2 * _value(each, after) + each.divisor > WITHOUT_END
        assert is_next_too_much or last + each.per_micro >= WITHOUT_END


def test_numbers_are_as_small_as_they_can_be() -> None:
    four_cents = _MODEL.validate_python({"price": {"USD": "0.04"}})
    assert pieces(four_cents, "USD") == [Piece(0, WITHOUT_END, 1, 0, divisor=250_000)]


def test_a_share_between_a_minimum_and_a_maximum_has_three_pieces() -> None:
    body = {"model": "percentage", "rate": "10%", "minimum": {"USD": "1"}, "maximum": {"USD": "5"}}
    found = pieces(_MODEL.validate_python(body), "USD")
    assert [(each.lower_micro, each.unit * each.divisor > 0) for each in found] == [
        (0, False),
        (10_000_000, True),
        (50_000_000, False),
    ]


def _value(piece: Piece, quantity: int) -> int:
    return piece.flat + -(-(quantity - piece.origin_micro) // piece.per_micro) * piece.unit
