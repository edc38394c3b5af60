"""`docs/meters.md` says what is so: its tables and its price list are recomputed here."""

import json
from collections.abc import Iterator
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any, cast

import pytest

from pipelines.admission.admission import Admission
from pipelines.catalog import catalog_file
from pipelines.rating.rating import rate_usage
from pipelines.usage.metering import Metered, meter_usage
from schemas.catalog import Catalog
from schemas.event import Event
from schemas.meter import STREAMED, Aggregation
from schemas.money import format_minor, format_pico
from schemas.period import parse_instant
from schemas.quantity import format_micro, to_micro
from tests.builders import OCTOBER, a_subscription, at

PAGE = (Path(__file__).parent.parent.parent / "docs/meters.md").read_text()
NOON_MS = at("10-10 12:00")


def table(head: str) -> list[tuple[str, ...]]:
    """The rows of the table whose first column has this name."""
    _, _, found = PAGE.partition(f"\n| {head} |")
    lines = found.splitlines()[2:]
    rows = []
    while lines and lines[0].startswith("| "):
        rows.append(tuple(cell.strip() for cell in lines.pop(0).strip("|").split("|")))
    return rows


@cache
def prices() -> Catalog:
    """The page's price list."""
    _, _, text = PAGE.partition("```yaml\n")
    return catalog_file.parse(text.partition("```")[0], "meters.md")


def events(aggregation: str) -> Iterator[Metered]:
    for position, (time, gb, user) in enumerate(table("time")):
        value = "1" if aggregation in ("count", "unique_count") else gb
        yield Metered(parse_instant(f"{time}Z"), position, to_micro(Decimal(value)), user)


def admitted(event_type: str, data: str) -> Event:
    element = json.dumps(
        {
            "specversion": "1.0", "id": "1", "source": "s", "type": event_type, "subject": "a",
            "time": "2026-10-10T12:00:00Z", "data": 0,
        }
    ).replace('"data": 0', f'"data": {data}')  # fmt: skip
    [event] = Admission(prices(), None, None, 10_000).admit(b"a", element.encode(), NOON_MS)
    assert isinstance(event, Event)
    return event


def index(meter: str) -> int:
    return list(prices().meters).index(meter)


ROWS = table("aggregation")


def test_the_page_has_every_aggregation() -> None:
    names = [row[0].strip("`") for row in ROWS]
    assert names == ["count", "sum", "max", "min", "avg", "latest", "unique_count", "time_weighted"]
    assert {name for name, row in zip(names, ROWS, strict=True) if row[-1] == "yes"} == STREAMED


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row[0])
def test_an_aggregation_is_what_its_row_says(row: tuple[str, ...]) -> None:
    aggregation = cast("Aggregation", row[0].strip("`"))
    parts = meter_usage(aggregation, events(aggregation), OCTOBER, [at("10-16")])
    [whole] = meter_usage(aggregation, events(aggregation), OCTOBER).values()
    quantities = [parts[0, ""].micro, parts[1, ""].micro, whole.micro]
    assert [format_micro(quantity) for quantity in quantities] == list(row[1:4])


@pytest.mark.parametrize("row", table("input_tokens"), ids=str)
def test_the_expression_gives_what_is_said(row: tuple[str, str, str]) -> None:
    event = admitted("llm.request", f'{{"input_tokens": {row[0]}, "output_tokens": {row[1]}}}')
    assert format_micro(dict(event.values)[index("weighed_tokens")]) == row[2]
    assert f"\n{prices().meters['weighed_tokens'].value}\n" in PAGE


@pytest.mark.parametrize("row", table("mode"), ids=str)
def test_the_filter_lets_through_what_is_said(row: tuple[str, str, str]) -> None:
    event = admitted("job.done", f'{{"mode": {row[0]}, "priority": {row[1]}}}')
    assert (index("batches") in dict(event.values)) == (row[2] == "yes")


def test_each_value_costs_what_is_said() -> None:
    rows = table("model")
    usage = {
        ("tokens", 1, "" if value == "(other)" else value): to_micro(Decimal(tokens))
        for value, tokens, _, _ in rows
    }
    lines = rate_usage(a_subscription("pro 09-01"), OCTOBER, {1: prices()}, usage)
    told: list[Any] = [
        (
            line.value or "(other)",
            format_micro(line.quantity_micro or 0),
            format_pico(line.unit_price_pico or 0),
            format_minor(line.amount_minor, "USD"),
        )
        for line in lines
    ]
    assert told == rows
