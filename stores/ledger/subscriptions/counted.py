"""Plans that begin are counted by the newest price list, which alone is run.

Whoever decided on them may have read the one before; to be asked while no price list is applied.
"""

from collections.abc import Collection

import sqlalchemy as sa

from schemas.catalog import Catalog
from schemas.errors import Conflict
from schemas.subscription import Subscription
from stores.ledger.catalogs import catalogs_of
from stores.ledger.subscriptions.subscription_rows import BeforeAfter
from stores.ledger.tables.subscription_tables import catalog_versions


def check_counted(connection: sa.Connection, changed: Collection[BeforeAfter]) -> None:
    """Let plans begin, and billing periods on another day than the first.

    Raises:
        Conflict: the newest price list would not count them.
    """
    newest = connection.execute(sa.select(sa.func.max(catalog_versions.c.version))).scalar()
    begun = {each for before, after in changed for each in _plans(after) - _plans(before)}
    older = {(plan, version) for plan, version in begun if version != newest}
    anchored = [after.tenant for before, after in changed if _is_anchored_anew(before, after)]
    if newest is not None and (older or anchored):
        prices = catalogs_of(connection, {newest} | {version for _, version in older})
        if anchored and not prices[newest].anniversary_billing:
            raise Conflict(f"price list {newest} bills {anchored[0]} by calendar months; say that")
        for plan, version in sorted(older):
            _check(prices[newest], newest, prices[version], plan, version)


def _plans(subscription: Subscription | None) -> set[tuple[str, int]]:
    segments = subscription.segments if subscription else ()
    return {(each.plan, each.catalog_version) for each in segments}


def _is_anchored_anew(before: Subscription | None, after: Subscription) -> bool:
    return after.anchor_day not in (1, before.anchor_day if before else 1)


def _check(newest: Catalog, number: int, older: Catalog, plan: str, version: int) -> None:
    if plan in older.plans and (meters := newest.uncounted(older.plans[plan])):
        raise Conflict(
            f"{plan} of price list {version} is billed by {meters[0]}, which price list {number} no"
            " longer has: say the command again, or take a plan of that"
        )
