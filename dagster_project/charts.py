"""Plots that Dagster shows inline: an SVG as a picture within markdown. Integers only.

Dagster's UI shows markdown at once when it is shorter than 1,000 characters, and hides the rest
behind a link: a plot of twelve months is made to fit.
"""

import base64
from collections.abc import Sequence

from schemas.money import Money

WIDTH, HEIGHT = 28, 90
"""Of a bar's place and of the tallest bar, in pixels."""
_LABEL = 16
"""Below the bars, in pixels."""


def months_chart(totals: Sequence[tuple[str, Money]]) -> str:
    """A bar for each month, the last one emphasised, as markdown; one currency."""
    tallest = max([1, *(abs(total.amount_minor) for _, total in totals)])
    bars = [
        _bar(place, abs(total.amount_minor) * HEIGHT // tallest)
        for place, (_, total) in enumerate(totals)
    ]
    months = " – ".join(month for month, _ in [*totals[:1], *totals[1:][-1:]])
    size = f"width='{max(4, len(totals)) * WIDTH}' height='{HEIGHT + _LABEL}'"
    svg = (
        f"<svg xmlns='http://www.w3.org/2000/svg' {size} font-family='sans-serif' font-size='11'>"
        f"<path d='{''.join(bars[:-1])}' fill='#a5b4fc'/>"
        f"<path d='{''.join(bars[-1:])}' fill='#4f46e5'/>"
        f"<text y='{HEIGHT + 13}' fill='#6b7280'>{months}</text></svg>"
    )
    picture = base64.b64encode(svg.encode()).decode()
    return f"![by month](data:image/svg+xml;base64,{picture})"


def _bar(place: int, high: int) -> str:
    return f"M{place * WIDTH + 3} {HEIGHT}v-{max(1, high)}h{WIDTH - 6}V{HEIGHT}z"
