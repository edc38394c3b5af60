"""Whose invoices have adjusting lines at all: the others are not even looked at."""

from collections.abc import Iterable, Sequence

from pipelines.adjustments.bulk import Offered
from pipelines.tables import as_table
from schemas.extras import (
    ADD_ON_COLUMNS,
    BUYER_COLUMNS,
    CREDIT_COLUMNS,
    ITEM_COLUMNS,
    REDEMPTION_COLUMNS,
)
from schemas.subscription import Subscription


def concerned(subscriptions: Iterable[Subscription], offered: Offered) -> list[Subscription]:
    """The subscriptions whose plan, tenant or buyer's country may bring adjusting lines."""
    if any(rule.country is None for rule in offered.taxes):
        return list(subscriptions)
    plans, tenants = _plans(offered), _tenants(offered)
    return [
        each
        for each in subscriptions
        if each.tenant in tenants
        or any((part.catalog_version, part.plan) in plans for part in each.segments)
    ]


def _plans(offered: Offered) -> set[tuple[int, str]]:
    return {
        (version, name)
        for version, catalog in offered.catalogs.items()
        for name, plan in catalog.plans.items()
        if plan.minimum or plan.maximum or plan.discount
    }


def _tenants(offered: Offered) -> set[str]:
    extras = offered.extras
    tables = (
        as_table(extras.redemptions, REDEMPTION_COLUMNS),
        as_table(extras.add_ons, ADD_ON_COLUMNS),
        as_table(extras.items, ITEM_COLUMNS),
        as_table(extras.credits, CREDIT_COLUMNS),
    )
    found = {tenant for table in tables for tenant in table["tenant"].to_pylist()}
    return found | set(_taxed(offered))


def _taxed(offered: Offered) -> Sequence[str]:
    countries = {rule.country for rule in offered.taxes}
    buyers = as_table(offered.extras.buyers, BUYER_COLUMNS) if countries else None
    if buyers is None:
        return []
    pairs = zip(buyers["tenant"].to_pylist(), buyers["country"].to_pylist(), strict=True)
    return [tenant for tenant, country in pairs if country in countries]
