"""Values computed from several properties: exact, and refused where they are not understood."""

import re
from fractions import Fraction

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from schemas.expression import MAX_LENGTH, parse_expression
from schemas.quantity import MICRO


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a", "2"),
        ("a * 3 + b * 15", "9.75"),
        ("-a", "-2"),
        ("a - b - 1", "0.75"),
        ("a - (b - 1)", "2.75"),
        ("2 * (a + b) * -1", "-4.5"),
        ("--a", "2"),
        ("a * b", "0.5"),
        ("a*a*a", "8"),
        ("0.000001 * a", "0.000002"),
        ("1_000 * a + 0.5 * 0.5", "2000.25"),
        ("a * 1.50", "3"),
    ],
)
def test_an_expression_is_worked_out_as_it_is_read(text: str, expected: str) -> None:
    values = {"a": 2 * MICRO, "b": MICRO // 4}
    assert parse_expression(text).evaluate(values, 6) == Fraction(expected) * MICRO


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "character 1: the end is no property, number or parenthesis"),
        ("a +", "character 4: the end is no property"),
        ("a b", "character 3: 'b' is not expected here; write + - or *"),
        ("a / 2", "character 3: '/' cannot be used; multiply by a decimal such as 0.001"),
        ("a ** 2", "character 4: '*' is no property"),
        ("a[0]", "character 2: '[' cannot be used; there are + - * ( )"),
        ("f(a)", "character 2: '(' is not expected here"),
        ("(a", "character 3: the end stands where a parenthesis is still open"),
        ("a)", "character 2: ')' is not expected here"),
        ("1.5.2 * a", "character 4: '.' cannot be used"),
        ("7", "it reads no property"),
        ("a - a", "it reads no property"),
        ("a * 0.0000000000001", "has more than 12 decimals"),
        ("a" * 201, "it has 201 characters; write at most 200"),
        ("(a+b)*(c+d)*(e+f)*(g+h)*(i+j)*(k+l)", "makes more than 50 summands"),
    ],
)
def test_what_is_no_expression_is_refused_with_its_place(text: str, told: str) -> None:
    with pytest.raises(ValueError, match=re.escape(told)):
        parse_expression(text)


def test_more_than_six_decimals_are_never_rounded() -> None:
    half = parse_expression("a * 0.5")
    assert half.evaluate({"a": 2}, 6) == 1
    with pytest.raises(ValueError, match="more than 6 decimals"):
        half.evaluate({"a": 1}, 6)


def test_an_expression_knows_what_it_reads() -> None:
    assert parse_expression("b * 2 + a * b + 1").names == ("b", "a")


@st.composite
def trees(draw: st.DrawFn, depth: int = 3) -> tuple[str, Fraction]:
    """The text of an expression, and its value where a is 3, b is -1.5 and c is 0.000001."""
    kind = draw(st.integers(0, 5)) if depth else draw(st.integers(0, 1))
    if kind == 0:
        return draw(st.sampled_from([("a", Fraction(3)), ("b", Fraction(-3, 2)), ("c", MILLIONTH)]))
    if kind == 1:
        digits = draw(st.integers(0, 3))
        number = draw(st.integers(0, 2000))
        whole, part = divmod(number, 10**digits)
        text = f"{whole}.{part:0{digits}d}" if digits else f"{whole}"
        return text, Fraction(number, 10**digits)
    text, value = draw(trees(depth=depth - 1))
    if kind == 2:
        return f"-({text})", -value
    other, more = draw(trees(depth=depth - 1))
    sign, total = draw(
        st.sampled_from([("+", value + more), ("-", value - more), ("*", value * more)])
    )
    return f"({text}){sign} ({other})", total


MILLIONTH = Fraction(1, MICRO)


@given(trees())
def test_any_expression_is_exact_or_refused(tree: tuple[str, Fraction]) -> None:
    text, expected = tree
    assume(len(text) < MAX_LENGTH - 4)
    expression = parse_expression(f"{text} + d")
    values = {"a": 3 * MICRO, "b": -1_500_000, "c": 1, "d": 0}
    if MICRO % expected.denominator:
        with pytest.raises(ValueError, match="more than 6 decimals"):
            expression.evaluate(values, 6)
    else:
        assert Fraction(expression.evaluate(values, 6), MICRO) == expected
