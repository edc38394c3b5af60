"""Rows on stdout: a table for a person at a terminal, else CSV; JSON when a script asks."""

import csv
import io
import sys
from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

import msgspec
import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text


class Format(StrEnum):
    """How rows are printed."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"


def chosen_format(*, as_json: bool, as_csv: bool) -> Format:
    """The format asked for; without a wish a table on a terminal, CSV in a pipe."""
    if as_json:
        return Format.JSON
    return Format.CSV if as_csv or not sys.stdout.isatty() else Format.TABLE


def show(columns: Sequence[str], rows: Iterable[Sequence[Any]], form: Format) -> None:
    """Print rows; decimals are exact text everywhere, in JSON as well."""
    match form:
        case Format.JSON:
            objects = [dict(zip(columns, map(_plain, row), strict=True)) for row in rows]
            typer.echo(msgspec.json.encode(objects))
        case Format.CSV:
            typer.echo(_csv(columns, rows), nl=False)
        case Format.TABLE:
            Console().print(_table(columns, rows))


def cell(value: Any) -> str:
    """A value as text: decimals without trailing zeros, instants with their zone."""
    text = str(value)
    match value:
        case None:
            text = ""
        case Decimal():
            text = f"{value.normalize():f}" if value else "0"
        case datetime():
            digits = "milliseconds" if value.microsecond else "seconds"
            text = value.isoformat(timespec=digits).replace("+00:00", "Z")
        case list() | tuple() | dict():
            text = msgspec.json.encode(_plain(value)).decode()
        case bytes():
            text = value.hex()
    return text


def _plain(value: Any) -> Any:
    """A value that JSON has; what it has not is text."""
    match value:
        case None | bool() | int() | float() | str():
            return value
        case list() | tuple():
            return [_plain(one) for one in value]
        case dict():
            return {str(key): _plain(one) for key, one in value.items()}
    return cell(value)


def _csv(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([cell(value) for value in row] for row in rows)
    return text.getvalue()


def _table(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> Table:
    table = Table(box=None, pad_edge=False)
    found = [list(row) for row in rows]
    for index, name in enumerate(columns):
        numbers = (int, float, Decimal)
        is_number = all(isinstance(row[index], numbers) for row in found if row[index] is not None)
        table.add_column(name, justify="right" if found and is_number else "left")
    for row in found:
        table.add_row(*(Text(cell(value)) for value in row))
    return table
