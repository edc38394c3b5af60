"""Worked examples of a page: a block of YAML, and below it a table of lines, with arithmetic."""

import ast
import operator
import re
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from pipelines.catalog.marked_yaml import read_yaml
from schemas.money import divide_half_away, minor_per_major, parse_minor

DOCS = Path(__file__).parents[1] / "docs"
_EXAMPLE = re.compile(r"^```yaml\n(?P<yaml>.*?)^```\n\n(?P<rows>(?:^\|[^\n]*\n)+)", re.M | re.S)
_OPERATORS: dict[type, Any] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}
Row = tuple[str, str, str]


@dataclass(frozen=True)
class Example:
    """What is given, and the rows of the table: label, arithmetic, amount. The last: the total."""

    given: dict[str, Any]
    rows: list[Row]


def examples(page: str) -> list[Example]:
    """The examples of a page of the documentation, in its order."""
    return [_example(found, page) for found in _EXAMPLE.finditer((DOCS / page).read_text())]


def _example(found: re.Match[str], page: str) -> Example:
    tree: Any = read_yaml(found["yaml"], page).tree
    cells = [[cell.strip() for cell in row.split("|")[1:-1]] for row in found["rows"].splitlines()]
    return Example(tree, [(line, how, amount) for line, how, amount in cells[2:]])


def minor(text: str, currency: str = "USD") -> int:
    """Minor units of an amount as a page writes it: −1,234.50, **1,234.50**."""
    plain = text.strip("*").replace("−", "-").replace(",", "")
    return parse_minor(plain, currency)


def rounded(arithmetic: str, currency: str = "USD") -> int:
    """The minor units of an expression as a page writes it, rounded once."""
    plain = arithmetic.replace("−", "-").replace("×", "*").replace("÷", "/").replace("%", "/100")
    value = minor_per_major(currency) * _value(ast.parse(plain, mode="eval").body, plain)
    return divide_half_away(value.numerator, value.denominator)


def _value(node: ast.expr, text: str) -> Fraction:
    match node:
        case ast.BinOp():
            left, right = _value(node.left, text), _value(node.right, text)
            result: Fraction = _OPERATORS[type(node.op)](left, right)
            return result
        case ast.UnaryOp():
            return -_value(node.operand, text)
    return Fraction(ast.get_source_segment(text, node) or "")
