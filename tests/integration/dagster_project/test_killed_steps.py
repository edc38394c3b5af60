"""The close's steps killed by SIGKILL after every write, and run again: the same month.

Without Dagster, so that every write can have its process: opening, usage, lines, fees, drafts,
comparison, finalizing, the bundle's files and its place, and collection. With Dagster, after a
selection of them: `test_killed_close`.
"""

import multiprocessing
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dagster_project.month_bundle import write_month
from pipelines.checks.reconciliation import rows_of_table
from pipelines.collection import collect
from schemas.bundle import RunRecord
from stores import bundles
from stores.ledger import Ledger
from tests.bundles import NoEvents
from tests.unit.dagster_project.months import MONTH, Month, a_month, close_bare

pytestmark = pytest.mark.integration

# A process that has all modules already, and nothing else: a kill costs its work alone.
FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload([__name__])
WRITES: list[tuple[Any, str]] = [
    *(
        (Ledger, name)
        for name in (
            "save_closing",
            "replace_billed_segments",
            "replace_usage",
            "replace_lines",
            "replace_drafts",
            "record_reconciliation",
            "hold",
            "finalize",
            "open_attempt",
            "record_attempt",
        )
    ),
    (bundles, "_write"),
    (bundles, "_put"),
]
AT_MS = 1_793_491_200_000
RUN = RunRecord("2026-11-01T00:00:00Z", None, {}, ())


def run_all(folder: Path) -> Month:
    """Close, write the bundle, collect."""
    month = Month(f"sqlite:///{folder / 'ledger.db'}")
    month.provider.decides_at_once = True
    close_bare(month, MONTH)
    books = month.ledger
    write_month(MONTH, folder / "bundle", books, NoEvents(), RUN)
    collect(MONTH, books, month.provider, lambda: AT_MS, lambda _: None)
    return month


def counting(on_write: Callable[[str], None]) -> None:
    """Tell of each write when it has returned."""
    for owner, name in WRITES:
        write = getattr(owner, name)

        def told(*given: Any, _write: Any = write, _name: str = name, **named: Any) -> Any:
            answer = _write(*given, **named)
            on_write(_name)
            return answer

        setattr(owner, name, told)


def run_and_note(folder: Path) -> None:
    """Run, and leave the names of all writes."""
    names: list[str] = []
    counting(names.append)
    run_all(folder)
    (folder / "writes").write_text("\n".join(names))


def run_and_die(folder: Path, after: int) -> None:
    """Run, and be killed as soon as so many writes have returned."""
    seen: list[str] = []

    def die(name: str) -> None:
        seen.append(name)
        if len(seen) == after:
            os.kill(os.getpid(), signal.SIGKILL)

    counting(die)
    run_all(folder)


def in_process(target: Callable[..., None], *arguments: Any) -> int | None:
    process = FORKS.Process(target=target, args=arguments)
    process.start()
    process.join(120)
    return process.exitcode


def facts(month: Month, folder: Path) -> list[object]:
    """What may not depend on a kill: documents, numbers, states, payments, files."""
    books = month.ledger
    invoices = [(i.id, i.document, i.number, i.state) for i in books.invoices(MONTH)]
    payments = [(a.id, a.state, a.amount_minor) for a in books.attempts(MONTH)]
    files = {path.name: path.read_bytes() for path in sorted((folder / "bundle").iterdir())}
    return [invoices, payments, rows_of_table(books.reconciliation(MONTH)), files]


def test_killed_after_any_write_and_run_again_it_ends_as_if_undisturbed(tmp_path: Path) -> None:
    whole = tmp_path / "whole"
    whole.mkdir()
    a_month(whole)
    assert in_process(run_and_note, whole) == 0
    names = (whole / "writes").read_text().split()
    assert {*names} == {name for _, name in WRITES}
    undisturbed = facts(Month(f"sqlite:///{whole / 'ledger.db'}"), whole)
    for after, name in enumerate(names, start=1):
        folder = tmp_path / str(after)
        folder.mkdir()
        a_month(folder)
        assert in_process(run_and_die, folder, after) == -signal.SIGKILL, name
        assert facts(run_all(folder), folder) == undisturbed, f"killed after {name}, write {after}"
