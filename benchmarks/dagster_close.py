"""A month closed by Dagster's own jobs, for `benchmarks.closing`: assets, checks, their events."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from tempfile import TemporaryDirectory

import dagster as dg

from benchmarks.month_fill import CUT
from dagster_project.definitions import defs
from dagster_project.resources import LedgerResource, LogResource, WarehouseResource
from schemas.vector import Vector
from stores.ledger import Ledger

ASSETS = (
    "monthly_usage", "charges", "prorations", "invoices", "reconciliation", "finalized_invoices",
)  # fmt: skip


class Read:
    """A log that everything has read."""

    def ends(self) -> Vector:
        """Where the benchmark's month ends."""
        return CUT

    def landed(self) -> Vector:
        """All of it."""
        return CUT

    def drained(self) -> Vector:
        """There was no topic before."""
        return Vector({})


class _ReadLog(LogResource):
    @contextmanager
    def open(self, books: Ledger) -> Iterator[Read]:
        yield Read()


def close_in_dagster(month: str, clickhouse: str, ledger: str) -> float:
    """Make a month's assets up to its final invoices, with their checks, in one run; in seconds."""
    resources = {
        "ledger": LedgerResource(url=ledger),
        "warehouse": WarehouseResource(url=clickhouse),
        "log": _ReadLog(),
    }
    made = [each for each in defs.assets or [] if _name(getattr(each, "key", None)) in ASSETS]
    checks = [each for each in defs.asset_checks or [] if _name(_checked(each)) in ASSETS]
    with TemporaryDirectory() as home, dg.DagsterInstance.local_temp(home) as instance:
        began = time.perf_counter()
        dg.materialize(
            [*made, *checks],  # type: ignore[list-item]
            partition_key=month,
            resources=resources,
            instance=instance,
            run_config={"loggers": {"console": {"config": {"log_level": "ERROR"}}}},
        )
        return time.perf_counter() - began


def _name(key: dg.AssetKey | None) -> str | None:
    return None if key is None else key.to_user_string()


def _checked(check: object) -> dg.AssetKey | None:
    """The asset that a check is of."""
    keys = getattr(check, "check_keys", ())
    return next((key.asset_key for key in keys), None)
