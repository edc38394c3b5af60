"""Versions of the price list: there come more, and none ever changes."""

import hashlib
from functools import lru_cache

import sqlalchemy as sa

from schemas.catalog import Catalog
from schemas.catalog_use import InUse, Judge
from schemas.closing import ClosingState
from schemas.errors import NotFound
from schemas.period import BillingPeriod
from stores.ledger.part import LedgerPart, lock
from stores.ledger.tables.closing_tables import closings
from stores.ledger.tables.subscription_tables import (
    catalog_versions,
    subscription_segments,
    subscriptions,
    tenants,
)


class Catalogs(LedgerPart):
    """The table `catalog_versions`."""

    def apply_catalog(
        self, document: bytes, now_ms: int, judge: Judge = lambda known, in_use: None
    ) -> tuple[int, bool]:
        """Store a price list (canonical JSON) as the next version, unless it is the newest already.

        Returns the version that holds it, and whether that is new. What `judge` raises is raised,
        and nothing is stored: nothing comes into use from its look until then.
        """
        digest = hashlib.sha256(document).hexdigest()
        with self._writing() as connection:
            lock(connection, tenants)  # and so does whoever writes a subscription
            lock(connection, catalog_versions)
            newest = connection.execute(_newest_catalog()).first()
            if newest is not None and newest.document_hash == digest:
                return newest.version, False
            judge(_every(connection), _in_use(connection))
            version = 1 if newest is None else newest.version + 1
            connection.execute(
                sa.insert(catalog_versions).values(
                    version=version, document=document, document_hash=digest, applied_ms=now_ms
                )
            )
            return version, True

    def catalog(self, version: int | None = None) -> tuple[int, Catalog]:
        """A version of the price list, the newest without one. Raises NotFound."""
        number, document = self.catalog_document(version)
        return number, _parsed(document)

    def catalogs(self) -> dict[int, Catalog]:
        """Every version of the price list."""
        with self._reading() as connection:
            return _every(connection)

    def holders(self, now_ms: int) -> dict[tuple[str, int], int]:
        """How many subscriptions have a plan, now or later, by (plan, version)."""
        with self._reading() as connection:
            return _holders(connection, now_ms)

    def mark_rolled_out(self, version: int, now_ms: int) -> None:
        """Counters and landing run this version, and its new meters are filled."""
        this = catalog_versions.c.version == version
        with self._writing() as connection:
            connection.execute(sa.update(catalog_versions).where(this).values(rolled_out_ms=now_ms))

    def rolled_out(self) -> int:
        """The newest version that was rolled out; the first is so by itself. Raises NotFound."""
        query = sa.select(sa.func.max(catalog_versions.c.version)).where(
            catalog_versions.c.rolled_out_ms.is_not(None)
        )
        with self._reading() as connection:
            newest = connection.execute(query).scalar()
            if newest is None:
                query = sa.select(sa.func.min(catalog_versions.c.version))
                newest = connection.execute(query).scalar()
            if newest is None:
                raise NotFound(_missing_catalog(connection, None))
            return int(newest)

    def catalog_document(self, version: int | None = None) -> tuple[int, bytes]:
        """The bytes of a version as they were applied, the newest without one. Raises NotFound."""
        query = _newest_catalog()
        if version is not None:
            query = sa.select(catalog_versions).where(catalog_versions.c.version == version)
        with self._reading() as connection:
            row = connection.execute(query).first()
            if row is None:
                raise NotFound(_missing_catalog(connection, version))
            return row.version, row.document


@lru_cache(64)
def _parsed(document: bytes) -> Catalog:
    """A version as it is used; none ever changes, so each is parsed once a process."""
    return Catalog.model_validate_json(document)


def _every(connection: sa.Connection) -> dict[int, Catalog]:
    rows = connection.execute(sa.select(catalog_versions))
    return {row.version: _parsed(row.document) for row in rows}


def _holders(connection: sa.Connection, since_ms: int) -> dict[tuple[str, int], int]:
    held = subscription_segments.c
    count = sa.func.count(held.subscription.distinct())
    query = (
        sa.select(held.plan, held.catalog_version, count)
        .where(sa.or_(held.ends_ms.is_(None), held.ends_ms > since_ms))
        .group_by(held.plan, held.catalog_version)
    )
    return {(plan, version): n for plan, version, n in connection.execute(query)}


def _in_use(connection: sa.Connection) -> InUse:
    """What ended before the newest closed month is billed; that month may have late usage."""
    closed = closings.c.state == ClosingState.CLOSED.value
    month = connection.execute(sa.select(sa.func.max(closings.c.month)).where(closed)).scalar()
    since_ms = BillingPeriod.month(month).start_ms if month else 0
    anchored = sa.select(sa.func.min(subscriptions.c.tenant)).where(subscriptions.c.anchor_day != 1)
    first = connection.execute(anchored).scalar()
    return InUse(_holders(connection, since_ms).keys(), first)


def catalogs_of(connection: sa.Connection, versions: set[int]) -> dict[int, Catalog]:
    """These versions of the price list."""
    rows = sa.select(catalog_versions).where(catalog_versions.c.version.in_(versions))
    found = connection.execute(rows)
    return {row.version: _parsed(row.document) for row in found}


def check_catalog_versions(connection: sa.Connection, versions: set[int]) -> None:
    """Raise NotFound unless all these versions of the price list were applied."""
    known = sa.select(catalog_versions.c.version).where(catalog_versions.c.version.in_(versions))
    missing = versions - set(connection.execute(known).scalars())
    if missing:
        raise NotFound(_missing_catalog(connection, min(missing)))


def _newest_catalog() -> sa.Select[tuple[int, bytes, str, int]]:
    return sa.select(catalog_versions).order_by(catalog_versions.c.version.desc()).limit(1)


def _missing_catalog(connection: sa.Connection, version: int | None) -> str:
    newest = connection.execute(_newest_catalog()).first()
    if newest is None:
        return "no price list was applied yet; run `countinghouse catalog apply FILE`"
    return f"there is no version {version} of the price list; there are 1 to {newest.version}"
