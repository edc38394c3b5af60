"""Plots that Dagster shows inline: an SVG as a picture within markdown. Integers only."""

import base64
from collections.abc import Sequence
from html import escape

from schemas.money import Money

WIDTH, HEIGHT = 64, 120
"""Of a bar's place and of the tallest bar, in pixels."""
_LABELS = 22
"""Above and below the bars, in pixels."""
_INK, _BAR, _NOW = "#6b7280", "#a5b4fc", "#4f46e5"


def months_chart(totals: Sequence[tuple[str, Money]]) -> str:
    """A bar for each month, the last one emphasised, as markdown; one currency."""
    tallest = max([1, *(abs(total.amount_minor) for _, total in totals)])
    bars = [
        _bar(place, month, total, tallest, is_now=place == len(totals) - 1)
        for place, (month, total) in enumerate(totals)
    ]
    size = f'width="{WIDTH * len(totals)}" height="{HEIGHT + 2 * _LABELS}"'
    svg = f'<svg xmlns="http://www.w3.org/2000/svg" {size}>{"".join(bars)}</svg>'
    currency = totals[-1][1].currency if totals else ""
    picture = base64.b64encode(svg.encode()).decode()
    return f"![{currency} by month](data:image/svg+xml;base64,{picture})"


def _bar(place: int, month: str, total: Money, tallest: int, *, is_now: bool) -> str:
    high = abs(total.amount_minor) * HEIGHT // tallest
    left, top = place * WIDTH, _LABELS + HEIGHT - high
    middle, foot = left + WIDTH // 2, HEIGHT + 2 * _LABELS - 7
    _, _, amount = str(total).partition(" ")
    shape = f'x="{left + 8}" y="{top}" width="{WIDTH - 16}" height="{max(high, 1)}" rx="2"'
    return (
        f'<rect {shape} fill="{_NOW if is_now else _BAR}"/>'
        + _text(middle, top - 6, amount.partition(".")[0], 11)
        + _text(middle, foot, month, 11)
    )


def _text(x: int, y: int, words: str, size: int) -> str:
    look = f'font-family="sans-serif" font-size="{size}" fill="{_INK}" text-anchor="middle"'
    return f'<text x="{x}" y="{y}" {look}>{escape(words)}</text>'
