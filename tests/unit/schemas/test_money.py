"""Amounts, unit prices and the one rounding rule."""

from decimal import ROUND_HALF_UP, Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.money import (
    Money,
    divide_half_away,
    format_minor,
    format_pico,
    minor_per_major,
    parse_minor,
    parse_pico,
)


@pytest.mark.parametrize(
    ("numerator", "denominator", "quotient"),
    [(5, 2, 3), (-5, 2, -3), (4, 2, 2), (7, 3, 2), (8, 3, 3), (-7, 3, -2), (1, 2, 1), (-1, 2, -1),
     (0, 7, 0), (10**40 + 1, 2, 5 * 10**39 + 1)],
)  # fmt: skip
def test_division_rounds_half_away_from_zero(
    numerator: int, denominator: int, quotient: int
) -> None:
    assert divide_half_away(numerator, denominator) == quotient


@pytest.mark.parametrize("denominator", [0, -1])
def test_a_denominator_is_positive(denominator: int) -> None:
    with pytest.raises(ValueError, match="denominator must be positive"):
        divide_half_away(1, denominator)


@given(st.integers(), st.integers(1))
def test_a_quotient_is_at_most_half_off_and_symmetric(numerator: int, denominator: int) -> None:
    quotient = divide_half_away(numerator, denominator)
    assert 2 * abs(quotient * denominator - numerator) <= denominator
    assert divide_half_away(-numerator, denominator) == -quotient


@given(st.integers(-(10**12), 10**12), st.integers(1, 10**6))
def test_division_is_that_of_decimals(numerator: int, denominator: int) -> None:
    # ROUND_HALF_UP of the decimal module is half away from zero.
    exact = (Decimal(numerator) / denominator).to_integral_value(ROUND_HALF_UP)
    assert divide_half_away(numerator, denominator) == int(exact)


@pytest.mark.parametrize(
    ("text", "currency", "minor"),
    [
        ("49.99", "USD", 4999),
        ("49.9", "USD", 4990),
        ("0", "USD", 0),
        ("-0.01", "USD", -1),
        ("1399.000", "CNY", 139900),
        ("1200", "JPY", 1200),
        ("1_000", "USD", 100000),
        ("1e2", "USD", 10000),
    ],
)
def test_amounts_are_read_from_text(text: str, currency: str, minor: int) -> None:
    assert parse_minor(text, currency) == minor


@pytest.mark.parametrize(
    ("text", "currency", "reason"),
    [
        ("49.999", "USD", "49.999 has more than 2 decimals"),
        ("0.5", "JPY", "0.5 has more than 0 decimals"),
        ("1,000", "USD", "'1,000' is not a number"),
        ("", "USD", "'' is not a number"),
        ("NaN", "USD", "NaN is not a finite number"),
        ("Infinity", "USD", "Infinity is not a finite number"),
        ("1e40", "USD", "1e40 is out of range"),
        ("1", "EUR", "currency 'EUR' is not supported; use USD, CNY, JPY"),
    ],
)
def test_what_is_no_amount_is_refused(text: str, currency: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        parse_minor(text, currency)


@pytest.mark.parametrize(
    ("text", "pico"),
    [("0.000008", 8_000_000), ("8", 8 * 10**12), ("0.000000000001", 1), ("0", 0)],
)
def test_unit_prices_are_exact_to_a_millionth_of_a_millionth(text: str, pico: int) -> None:
    assert parse_pico(text) == pico
    assert format_pico(pico) == text


def test_a_finer_unit_price_is_refused() -> None:
    with pytest.raises(ValueError, match="more than 12 decimals"):
        parse_pico("0.0000000000001")


@pytest.mark.parametrize(
    ("minor", "currency", "text"),
    [(4999, "USD", "49.99"), (-3386, "USD", "-33.86"), (0, "USD", "0.00"),
     (123456789, "CNY", "1,234,567.89"), (1200, "JPY", "1,200")],
)  # fmt: skip
def test_amounts_are_written_with_their_currencys_digits(
    minor: int, currency: str, text: str
) -> None:
    assert format_minor(minor, currency) == text
    assert str(Money(minor, currency)) == f"{currency} {text}"


@given(st.integers(-(10**25), 10**25), st.sampled_from(["USD", "CNY", "JPY"]))
def test_what_is_written_is_read_back(minor: int, currency: str) -> None:
    assert parse_minor(format_minor(minor, currency).replace(",", ""), currency) == minor


@given(st.integers(0, 10**25))
def test_a_written_unit_price_is_read_back(pico: int) -> None:
    assert parse_pico(format_pico(pico)) == pico


def test_minor_units_of_a_major_unit() -> None:
    assert (minor_per_major("USD"), minor_per_major("JPY")) == (100, 1)
