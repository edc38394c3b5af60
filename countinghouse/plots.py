"""Plots as files: how the tenants' changes are spread, as SVG or as a page of HTML.

Owns how a change of totals is drawn; what changed is in `pipelines.reports.movements`.
"""

from bisect import bisect
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from html import escape
from itertools import pairwise
from pathlib import Path

from drawsvg import Drawing, Line, Rectangle, Text

from countinghouse.whole_file import writing
from pipelines.reports.movements import Move, Movement, summarize
from schemas.errors import InvalidInput
from schemas.money import format_minor

_BOUNDS = (-100, -50, -25, -10, -5, 0, 5, 10, 25, 50, 100)
"""Per cent by which a total changes, between which tenants are counted."""

_LEGEND = "A bar counts the tenants whose invoices change by so many per cent, all months together."
_AXIS = "change of a tenant's invoices, in per cent of what it paid before"
_BOUNDS_PPM = [bound * 10_000 for bound in _BOUNDS]
_UNCHANGED, _WAS_FREE = "unchanged", "was free"
_KINDS = (".svg", ".html")
_WIDTH, _TOP, _MARGIN, _PANEL, _BARS = 960, 96, 40, 440, 220
"""In pixels: the drawing, its heading, what is left free, one currency, the highest bar."""


def check_plot(path: Path) -> Path:
    """The path, whose ending says what is drawn.

    Raises:
        InvalidInput: it is neither SVG nor HTML, or its folder is not there.
    """
    if path.suffix not in _KINDS:
        raise InvalidInput(f"--plot {path}: a plot is an .svg or an .html file")
    if not path.absolute().parent.is_dir():
        raise InvalidInput(f"--plot {path}: the folder is not there; make it first")
    return path


def write_plot(path: Path, title: str, moves: Sequence[Move]) -> None:
    """Draw how many tenants' totals change by how much, a panel for each currency."""
    drawn = _drawn(title, moves).as_svg(header="")
    text = _page(title, drawn) if path.suffix == ".html" else drawn
    with writing(path) as unfinished:
        unfinished.write_text(text, encoding="utf-8")


def buckets(moves: Iterable[Move]) -> dict[str, int]:
    """Tenants by the share by which they pay more or less, every bucket, the cheapest first.

    Who paid nothing before is counted by itself: there is no share of nothing.
    """
    counts = Counter(map(_bucket, moves))
    return {label: counts[label] for label in _LABELS}


def _bucket(move: Move) -> str:
    ppm = move.change_ppm
    if move.change_minor == 0:
        return _UNCHANGED
    if ppm is None:
        return _WAS_FREE
    # A bucket begins with its lower bound; a fall too small for a millionth is still a fall.
    place = bisect(_BOUNDS_PPM, min(ppm, -1) if move.change_minor < 0 else ppm)
    return _BETWEEN[place]


def _labels_between() -> list[str]:
    told = [f"{bound:+d}" if bound else "0" for bound in _BOUNDS]
    between = [f"{low} to {high}%" for low, high in pairwise(told)]
    return [f"below {told[0]}%", *between, f"over {told[-1]}%"]


_BETWEEN = _labels_between()
_MIDDLE = _BOUNDS.index(0) + 1
_LABELS = [*_BETWEEN[:_MIDDLE], _UNCHANGED, *_BETWEEN[_MIDDLE:], _WAS_FREE]


def _drawn(title: str, moves: Sequence[Move]) -> Drawing:
    movements = summarize(moves)
    drawing = Drawing(_WIDTH, _TOP + _PANEL * max(len(movements), 1), font_family="sans-serif")
    drawing.append(Rectangle(0, 0, "100%", "100%", fill="white"))
    drawing.append(Text(title, 20, _MARGIN, 36))
    drawing.append(Text(_LEGEND, 13, _MARGIN, 60, fill="#333"))
    for place, movement in enumerate(movements):
        own = [move for move in moves if move.currency == movement.currency]
        _panel(drawing, _TOP + place * _PANEL, movement, buckets(own))
    return drawing


def _panel(drawing: Drawing, top: int, movement: Movement, counts: dict[str, int]) -> None:
    """One currency: its revenue in words, and a bar for each bucket with its count."""
    base, step = top + _BARS + 70, (_WIDTH - 2 * _MARGIN) // len(counts)
    for line, text in enumerate(_told(movement)):
        drawing.append(Text(text, 13, _MARGIN, top + 18 * line, fill="#333"))
    most = max(counts.values()) or 1
    for place, (label, count) in enumerate(counts.items()):
        left, height = _MARGIN + place * step, count * _BARS // most
        colour = _colour(place)
        drawing.append(Rectangle(left, base - height, step - 6, height, fill=colour))
        middle = left + (step - 6) // 2
        if count:
            drawing.append(Text(f"{count:,}", 11, middle, base - height - 4, text_anchor="middle"))
        turned = f"rotate(-45 {middle} {base + 14})"
        drawing.append(Text(label, 11, middle, base + 14, text_anchor="end", transform=turned))
    drawing.append(Line(_MARGIN, base, _WIDTH - _MARGIN, base, stroke="#333"))
    drawing.append(Text(_AXIS, 12, _WIDTH // 2, base + 110, fill="#333", text_anchor="middle"))


def _colour(place: int) -> str:
    """Who pays less is green, who pays more is orange."""
    if place < _MIDDLE:
        return "#2a9d8f"
    return "#8d99ae" if place == _MIDDLE else "#e76f51"


def _told(movement: Movement) -> Iterator[str]:
    def money(minor: int) -> str:
        return format_minor(minor, movement.currency)

    yield (
        f"{movement.currency}: {money(movement.before_minor)} becomes "
        f"{money(movement.after_minor)}; {movement.tenants:,} tenants, {movement.winners:,} pay "
        f"less, {movement.losers:,} pay more"
    )
    it = movement.minor
    yield f"change of a tenant: p5 {money(it.p5)}, p50 {money(it.p50)}, p95 {money(it.p95)}"


def _page(title: str, drawn: str) -> str:
    head = f'<meta charset="utf-8"><title>{escape(title)}</title>'
    return f"<!doctype html>\n<html><head>{head}</head><body>{drawn}</body></html>\n"
