"""A month's run killed by SIGKILL after any of its writes, and run again: the same invoices."""

import multiprocessing
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from pipelines.checks.reconciliation import rows_of_table
from stores.ledger import Ledger
from tests.unit.dagster_project.months import CLOSE, COLLECT, MONTH, Month, a_month

pytestmark = pytest.mark.integration

SPAWN = multiprocessing.get_context("spawn")
WRITES = [
    ("replace_billed_segments", 1),
    ("replace_usage", 2),
    ("replace_drafts", 1),
    ("hold", 1),
    ("finalize", 1),
    ("open_attempt", 1),
]
"""A selection: each costs two Dagster processes. All writes are in `test_killed_steps`, and what a
provider remembers is in the unit tests of collection."""


def run_all(month: Month) -> None:
    """Close, finalize and collect."""
    month.provider.decides_at_once = True
    month.run(*CLOSE)
    month.run(*COLLECT)


def run_and_die(folder: Path, method: str, calls: int) -> None:
    """Run in this process, and be killed as soon as a write has returned for the n-th time."""
    write = getattr(Ledger, method)
    left = [calls]

    def deadly(*arguments: Any, **named: Any) -> Any:
        answer = write(*arguments, **named)
        left[0] -= 1
        if not left[0]:
            os.kill(os.getpid(), signal.SIGKILL)
        return answer

    setattr(Ledger, method, deadly)
    run_all(Month(f"sqlite:///{folder / 'ledger.db'}"))


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> list[object]:
    month = a_month(tmp_path_factory.mktemp("undisturbed"))
    run_all(month)
    return facts(month)


def facts(month: Month) -> list[object]:
    """What may not depend on a kill: documents, numbers, states, and what was paid."""
    books = month.ledger
    invoices = [(i.id, i.document, i.number, i.state) for i in books.invoices(MONTH)]
    payments = [(a.id, a.state, a.amount_minor) for a in books.attempts(MONTH)]
    return [invoices, payments, rows_of_table(books.reconciliation(MONTH))]


@pytest.mark.parametrize(("method", "calls"), WRITES)
def test_killed_after_a_write_and_run_again_it_ends_as_if_undisturbed(
    tmp_path: Path, undisturbed: list[object], method: str, calls: int
) -> None:
    month = a_month(tmp_path)
    process = SPAWN.Process(target=run_and_die, args=(tmp_path, method, calls))
    process.start()
    process.join(120)
    assert process.exitcode == -signal.SIGKILL
    run_all(month)
    assert facts(month) == undisturbed
