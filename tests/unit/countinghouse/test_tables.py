"""Rows for people and scripts: exact decimals, zones, and nothing that breaks a line."""

import json
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from countinghouse.cli.tables import Format, cell, show


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""),
        (Decimal("12.500000"), "12.5"),
        (Decimal("1000000.000000"), "1000000"),
        (Decimal("0.000000"), "0"),
        (Decimal("-0.000001"), "-0.000001"),
        (datetime(2026, 10, 1, 12, tzinfo=UTC), "2026-10-01T12:00:00Z"),
        (datetime(2026, 10, 1, 12, 0, 0, 250_000, tzinfo=UTC), "2026-10-01T12:00:00.250Z"),
        (date(2026, 10, 1), "2026-10-01"),
        ([Decimal("1.50"), "a"], '["1.5","a"]'),
        (b"\x00\xff", "00ff"),
        (True, "True"),
    ],
)
def test_a_cell_is_exact_text(value: object, text: str) -> None:
    assert cell(value) == text


def test_json_has_decimals_as_text(capsys: pytest.CaptureFixture[str]) -> None:
    show(["n", "q"], [(1, Decimal("0.100000")), (2, None)], Format.JSON)
    assert json.loads(capsys.readouterr().out) == [{"n": 1, "q": "0.1"}, {"n": 2, "q": None}]


def test_csv_quotes_what_needs_it(capsys: pytest.CaptureFixture[str]) -> None:
    show(["a", "b"], [('say "hi", please', 1)], Format.CSV)
    assert capsys.readouterr().out == 'a,b\n"say ""hi"", please",1\n'


def test_a_table_takes_markup_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    show(["name", "n"], [("[bold]x[/bold]", 7)], Format.TABLE)
    assert "[bold]x[/bold]" in capsys.readouterr().out
