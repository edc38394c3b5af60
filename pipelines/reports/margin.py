"""What tokens cost us beside what is earned with them, by tenant and model.

Owns how a tenant's revenue is shared out among the models it used: what a price by model earned is
that model's, the rest goes by tokens, and the parts add up to the whole. Nothing is converted.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from schemas.catalog import Catalog
from schemas.costs import CostTable, ModelUse
from schemas.errors import InvalidInput

NO_MODEL = ""
"""Where revenue stands that no token was used for, and usage that names no model."""

_TAXES = ("tax", "correction_tax")
_NO_REVENUE = (*_TAXES, "credit_applied")
"""Tax is the state's; what prepaid credits pay was earned all the same."""

_WITH_TAX = (*_TAXES, "credited")
"""Lines whose tax is in other lines' amounts, or in their own."""

_MODEL = "model"


@dataclass(frozen=True, slots=True)
class MarginRow:
    """A tenant's model in a month: tokens in 1e-6, revenue and cost in minor units.

    Without costs in the currency that the tenant pays in, `margin_minor` is None.
    """

    tenant: str
    model: str
    input_micro: int
    output_micro: int
    currency: str
    revenue_minor: int
    cost_currency: str
    cost_minor: int

    @property
    def margin_minor(self) -> int | None:
        """What is left of the revenue; less than nothing is a loss."""
        if self.currency != self.cost_currency:
            return None
        return self.revenue_minor - self.cost_minor


def share_out(total_minor: int, weights: Mapping[str, int]) -> dict[str, int]:
    """An amount in parts by weight, to the minor unit: 100 by 1, 1, 1 is 34, 33, 33.

    Each part is floored; what is left goes to the largest remainders, then by name.
    """
    whole = sum(weights.values())
    if not whole:
        return {NO_MODEL: total_minor} if total_minor else {}
    sign, amount = (-1, -total_minor) if total_minor < 0 else (1, total_minor)
    parts = {name: amount * weight // whole for name, weight in weights.items()}
    by_remainder = sorted(weights, key=lambda name: (-(amount * weights[name] % whole), name))
    for name in by_remainder[: amount - sum(parts.values())]:
        parts[name] += 1
    return {name: sign * part for name, part in parts.items()}


def margins(
    lines: pa.Table,
    uses: Iterable[ModelUse],
    catalogs: Mapping[int, Catalog],
    tables: Sequence[CostTable],
) -> list[MarginRow]:
    """Every tenant and model of a month, the largest loss first.

    `lines` are what was billed, as `billed_lines` has them; of the cost tables that of the tenant's
    currency counts, else the first.

    Raises:
        InvalidInput: a model has no cost; the text says the remedy.
    """
    tokens = _tokens(uses, tables[0])
    _ensure_known((model for own in tokens.values() for model in own), tables)
    earned, priced = _revenue(lines), _by_model(lines, catalogs)
    rows = [
        row
        for tenant, currency in _tenants(earned, tokens, tables[0].currency)
        for row in _rows(
            (tenant, currency), earned, priced, tokens.get(tenant, {}), _table_of(currency, tables)
        )
    ]
    return sorted(rows, key=_by_loss)


def _by_loss(row: MarginRow) -> tuple[bool, int, str, str]:
    margin = row.margin_minor
    return margin is None, margin or 0, row.tenant, row.model


_Tokens = dict[str, list[int]]
"""Tokens in and out in 1e-6, by model."""


def _tokens(uses: Iterable[ModelUse], table: CostTable) -> dict[str, _Tokens]:
    found: defaultdict[str, _Tokens] = defaultdict(dict)
    for use in uses:
        own = found[use.tenant].setdefault(use.model, [0, 0])
        own[use.meter == table.output_meter] += use.quantity_micro
    return found


def _ensure_known(models: Iterable[str], tables: Sequence[CostTable]) -> None:
    used = set(models)
    for table in tables:
        if unknown := table.unknown(used):
            named = ", ".join(repr(model) for model in unknown[:5])
            more = f" and {len(unknown) - 5} more" if len(unknown) > 5 else ""
            told = f"the costs in {table.currency} do not name {named}{more}"
            raise InvalidInput(f"{told}; add them to `models`, or a `default` for all others")


def _revenue(lines: pa.Table) -> dict[tuple[str, str], int]:
    """What each tenant's lines earn without tax; of prices that hold a tax, what is left of it."""
    outside = pc.is_in(lines["kind"], value_set=pa.array(_NO_REVENUE))
    found = Counter(_sums(lines.filter(pc.invert(outside)), "amount_minor"))
    found.subtract(_sums(_of(lines, _WITH_TAX), "tax_minor"))
    found.update(_sums(_of(lines, _TAXES), "amount_minor"))
    return dict(found)


def _of(lines: pa.Table, kinds: Sequence[str]) -> pa.Table:
    return lines.filter(pc.is_in(lines["kind"], value_set=pa.array(kinds)))


def _sums(lines: pa.Table, column: str) -> dict[tuple[str, str], int]:
    sums = lines.group_by(["tenant", "currency"]).aggregate([(column, "sum")])
    columns = (sums[name].to_pylist() for name in ("tenant", "currency", f"{column}_sum"))
    return {
        (tenant, currency): minor or 0 for tenant, currency, minor in zip(*columns, strict=True)
    }


def _by_model(
    lines: pa.Table, catalogs: Mapping[int, Catalog]
) -> dict[tuple[str, str], Counter[str]]:
    """What prices by model have earned: it needs no sharing out."""
    meters = {
        meter.name
        for each in catalogs.values()
        for meter in each.meter_list
        if meter.priced_by == _MODEL
    }
    is_priced = pc.and_(
        pc.is_in(lines["meter"], value_set=pa.array(sorted(meters), pa.string())),
        pc.and_(pc.is_valid(lines["value"]), pc.equal(lines["kind"], "overage")),
    )
    keys = ["tenant", "currency", "value"]
    sums = lines.filter(is_priced).group_by(keys).aggregate([("amount_minor", "sum")])
    found: defaultdict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for row in sums.to_pylist():
        found[row["tenant"], row["currency"]][row["value"]] += row["amount_minor_sum"]
    return found


def _tenants(
    earned: Mapping[tuple[str, str], int], tokens: Mapping[str, _Tokens], currency: str
) -> Iterator[tuple[str, str]]:
    """Who was billed, and who used without being billed: that is a loss too."""
    yield from sorted(earned)
    billed = {tenant for tenant, _ in earned}
    yield from ((tenant, currency) for tenant in sorted(tokens.keys() - billed))


def _table_of(currency: str, tables: Sequence[CostTable]) -> CostTable:
    return next((table for table in tables if table.currency == currency), tables[0])


def _rows(
    whose: tuple[str, str],
    earned: Mapping[tuple[str, str], int],
    priced: Mapping[tuple[str, str], Counter[str]],
    tokens: _Tokens,
    table: CostTable,
) -> Iterator[MarginRow]:
    revenue = Counter(priced.get(whose, Counter[str]()))
    rest = earned.get(whose, 0) - revenue.total()
    revenue.update(share_out(rest, {model: max(sum(own), 0) for model, own in tokens.items()}))
    for model in sorted(revenue.keys() | tokens):
        used_in, used_out = tokens.get(model, (0, 0))
        cost = table.of(model)
        minor = 0 if cost is None else cost.cost_minor(used_in, used_out, table.currency)
        yield MarginRow(
            whose[0], model, used_in, used_out, whose[1], revenue[model], table.currency, minor
        )
