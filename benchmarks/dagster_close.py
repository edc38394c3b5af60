"""A month closed by Dagster's own jobs, for `benchmarks.closing`: assets, checks, their events."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.month_fill import CUT
from countinghouse.dagster_runs import RunRequest, run_job
from dagster_project.resources import LedgerResource, LogResource, WarehouseResource
from schemas.vector import Vector
from stores.ledger import Ledger


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
    """Close a month by the jobs that the schedule runs, but for the collecting; in seconds."""
    resources = {
        "ledger": LedgerResource(url=ledger),
        "warehouse": WarehouseResource(url=clickhouse),
        "log": _ReadLog(),
    }
    with TemporaryDirectory() as home:
        began = time.perf_counter()
        for job, only in (("close_month", None), ("finalize_and_collect", "finalized_invoices")):
            run_job(Path(home), RunRequest(job, month, only=only), print, resources)
        return time.perf_counter() - began
