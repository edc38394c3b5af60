"""Whose invoices have adjusting lines at all: the others are not even looked at."""

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from pipelines.adjustments.offered import Offered
from pipelines.columns.tables import as_table
from schemas.extras import (
    ADD_ON_COLUMNS,
    BUYER_COLUMNS,
    CREDIT_COLUMNS,
    ITEM_COLUMNS,
    REDEMPTION_COLUMNS,
)


def concerned(segments: pa.Table, offered: Offered) -> pa.Table:
    """All segments (`SEGMENT_COLUMNS`) of whose plan, tenant or country may bring such lines."""
    if any(rule.country is None for rule in offered.taxes):
        return segments
    is_concerned = pc.is_in(segments["tenant"], value_set=_tenants(offered))
    for version, plans in _plans(offered).items():
        has_plan = pc.is_in(segments["plan"], value_set=pa.array(plans, pa.string()))
        is_its = pc.equal(segments["catalog_version"], version)
        is_concerned = pc.or_(is_concerned, pc.and_(is_its, has_plan))
    names = pc.unique(segments["subscription"].filter(is_concerned))
    return segments.filter(pc.is_in(segments["subscription"], value_set=names))


def _plans(offered: Offered) -> dict[int, list[str]]:
    return {
        version: [n for n, it in catalog.plans.items() if it.minimum or it.maximum or it.discount]
        for version, catalog in offered.catalogs.items()
    }


def _tenants(offered: Offered) -> pa.Array:
    extras = offered.extras
    tables = (
        as_table(extras.redemptions, REDEMPTION_COLUMNS),
        as_table(extras.add_ons, ADD_ON_COLUMNS),
        as_table(extras.items, ITEM_COLUMNS),
        as_table(extras.credits, CREDIT_COLUMNS),
    )
    found = [pc.unique(table["tenant"]) for table in tables]
    return pa.concat_arrays([*found, *_taxed(offered)])


def _taxed(offered: Offered) -> Sequence[pa.Array]:
    countries = {rule.country for rule in offered.taxes if rule.country is not None}
    if not countries:
        return []
    buyers = as_table(offered.extras.buyers, BUYER_COLUMNS)
    is_taxed = pc.is_in(buyers["country"], value_set=pa.array(sorted(countries), pa.string()))
    return [pc.unique(buyers["tenant"].filter(is_taxed))]
