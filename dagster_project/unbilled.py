"""Usage that nobody is billed for, as the month's asset shows it: by meter, and by whom most."""

from collections.abc import Sequence
from typing import Any

import dagster as dg

from dagster_project import glances, metadata
from pipelines.checks import leakage
from pipelines.invoices.books import Books
from stores.ledger import Ledger


def of_month(ledger: Ledger, month: str) -> dict[str, Any]:
    """Usage that no invoice bills though one should: what `countinghouse usage unbilled` lists.

    Meters that no price list prices are no leak, however much of them is used.
    """
    found = leakage.unbilled(Books(month, ledger))
    if not found:
        return {"unpriced usage": metadata.table([])}
    most = sorted(found, key=lambda each: (-abs(each.quantity_micro), each.tenant, each.meter))
    who: list[metadata.Row] = [
        {
            "tenant": each.tenant,
            "meter": each.meter,
            "quantity": glances.quantity(each.quantity_micro),
            "why": each.why,
        }
        for each in most[: glances.MOVERS]
    ]
    return {
        "unpriced usage": metadata.table(_by_meter(found)),
        "unpriced, who most": metadata.table(who),
        "to list all of it": dg.MetadataValue.md(f"`countinghouse usage unbilled {month}`"),
    }


def _by_meter(found: Sequence[leakage.Unbilled]) -> list[metadata.Row]:
    rows: list[metadata.Row] = []
    for meter in sorted({each.meter for each in found}):
        own = [each for each in found if each.meter == meter]
        tenants, used = len({each.tenant for each in own}), sum(it.quantity_micro for it in own)
        rows.append({"meter": meter, "tenants": f"{tenants:,}", "quantity": glances.quantity(used)})
    return rows
