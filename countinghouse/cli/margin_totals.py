"""What the rows of `countinghouse margin` come to, currency by currency."""

from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

from countinghouse.cli.moving import amount, percent
from schemas.money import divide_half_away

if TYPE_CHECKING:
    from pipelines.reports.margin import MarginRow

_PPM = 1_000_000


def margin_totals(rows: "Sequence[MarginRow]") -> list[dict[str, Any]]:
    """Revenue, cost and margin by currency; what cannot be compared is left out and counted."""
    compared = [row for row in rows if row.margin_minor is not None]
    others = [row for row in rows if row.margin_minor is None]
    return [_total(currency, own) for currency, own in _by_currency(compared)] + [
        {"currency": currency, "rows_without_costs_in_it": len(own)}
        for currency, own in _by_currency(others)
    ]


def _by_currency(rows: "Sequence[MarginRow]") -> "list[tuple[str, list[MarginRow]]]":
    ordered = sorted(rows, key=lambda row: row.currency)
    return [(currency, list(own)) for currency, own in groupby(ordered, lambda row: row.currency)]


def _total(currency: str, rows: "Sequence[MarginRow]") -> dict[str, Any]:
    revenue, cost = sum(row.revenue_minor for row in rows), sum(row.cost_minor for row in rows)
    share = divide_half_away((revenue - cost) * _PPM, revenue) if revenue > 0 else None
    return {
        "currency": currency,
        "tenants": len({row.tenant for row in rows}),
        "models": len({row.model for row in rows if row.model}),
        "revenue": amount(revenue, currency),
        "cost": amount(cost, currency),
        "margin": amount(revenue - cost, currency),
        "percent": percent(share),
    }


def told_total(total: dict[str, Any]) -> str:
    """A total as a line for a person."""
    if "margin" not in total:
        left_out = total["rows_without_costs_in_it"]
        return f"{total['currency']}: {left_out:,} rows without costs in it, in no total"
    share = f" ({total['percent']} of revenue)" if total["percent"] else ""
    return (
        f"{total['currency']}: {total['tenants']:,} tenants, {total['models']:,} models, "
        f"revenue {total['revenue']}, cost {total['cost']}, margin {total['margin']}{share}"
    )
