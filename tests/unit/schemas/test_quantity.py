"""Quantities in 1e-6 units: read exactly or refused."""

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.decimals import scaled
from schemas.quantity import MAX_QUANTITY, MICRO, format_micro, to_micro


@pytest.mark.parametrize(
    ("value", "micro"),
    [
        (5, 5_000_000),
        ("5", 5_000_000),
        (Decimal("0.000001"), 1),
        ("100_000", 100_000 * MICRO),
        ("-1.5", -1_500_000),
        ("1e3", 1_000 * MICRO),
        ("1.0000000000000000000000000000000000", MICRO),
        (MAX_QUANTITY, MAX_QUANTITY * MICRO),
        (Decimal("-0e-999999999"), 0),
    ],
)
def test_a_quantity_is_read_exactly(value: object, micro: int) -> None:
    assert to_micro(value) == micro


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("0.0000001", "more than 6 decimals"),
        (Decimal("1e-999999999"), "more than 6 decimals"),
        (Decimal("1e999999999"), "out of range"),
        (MAX_QUANTITY + 1, "beyond"),
        ("100000000000.000001", "beyond"),
        ("NaN", "not a finite number"),
        (Decimal("-Infinity"), "not a finite number"),
        ("many", "not a number"),
        (True, "not a number"),
        (None, "not a number"),
        (json.loads("0.5"), "not a number"),
    ],
)
def test_what_is_no_quantity_is_refused_and_never_rounded(value: object, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        to_micro(value)


@given(st.integers(-MAX_QUANTITY * MICRO, MAX_QUANTITY * MICRO))
def test_what_is_written_is_read_back(micro: int) -> None:
    assert to_micro(format_micro(micro)) == micro


@given(
    st.decimals(
        allow_nan=False, allow_infinity=False, places=6, min_value=-(10**9), max_value=10**9
    )
)
def test_reading_is_multiplication_by_a_million(number: Decimal) -> None:
    assert to_micro(number) == int(number * MICRO)


@given(st.integers(-(10**30), 10**30), st.integers(-20, 5), st.integers(0, 12))
def test_scaling_is_exact_or_refused(figures: int, exponent: int, digits: int) -> None:
    shift = 10 ** abs(exponent + digits)
    try:
        found = scaled(f"{figures}e{exponent}", digits)
    except ValueError:
        assert exponent + digits < 0
        assert figures % shift
    else:
        assert found == (figures * shift if exponent + digits >= 0 else figures // shift)


@pytest.mark.parametrize(
    ("micro", "text"),
    [
        (195_483_870_968, "195483.870968"),
        (1_500_000, "1.5"),
        (-1, "-0.000001"),
        (0, "0"),
        (10**7, "10"),
    ],
)
def test_quantities_are_written_without_trailing_zeros(micro: int, text: str) -> None:
    assert format_micro(micro) == text
