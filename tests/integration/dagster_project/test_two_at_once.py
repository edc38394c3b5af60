"""Two runs of a month at once, in two processes: the second is told, and nothing fires."""

import multiprocessing
import os
import signal
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from countinghouse.closing_run import close_month, dagster_environment, pay_month
from countinghouse.dagster_runs import RunRequest, run_job
from countinghouse.settings import Settings
from schemas.errors import Conflict
from stores.ledger import Ledger
from tests.unit.dagster_project.months import CLOSE, COLLECT, MONTH, Month, a_month

pytestmark = pytest.mark.integration

SPAWN = multiprocessing.get_context("spawn")


def close_and_stay(folder: Path, is_there: Event) -> None:
    """A run like one of Dagster's own, which stays where it has read the usage."""

    def stay(*_: Any, **__: Any) -> None:
        is_there.set()
        signal.pause()

    Ledger.replace_usage = stay  # type: ignore[method-assign]
    Month(f"sqlite:///{folder / 'ledger.db'}").run(*CLOSE)


def test_a_close_beside_a_run_is_a_conflict_until_the_run_is_killed(tmp_path: Path) -> None:
    month = a_month(tmp_path)
    settings = Settings(home=tmp_path, ledger=month.url)
    is_there = SPAWN.Event()
    process = SPAWN.Process(target=close_and_stay, args=(tmp_path, is_there))
    process.start()
    try:
        assert is_there.wait(120)
        for command in (close_month, pay_month):
            with pytest.raises(Conflict, match=rf"^{MONTH} is under way since \S+ in run \S+; "):
                command(settings, MONTH, print)
        assert runs_in(settings) == 0
    finally:
        os.kill(process.pid or 0, signal.SIGKILL)
        process.join()
    assert month.run(*CLOSE).success


def runs_in(settings: Settings) -> int:
    """How many runs Dagster knows of: what has no run fires nothing."""
    with (
        dagster_environment(settings) as home,
        dg.DagsterInstance.from_config(str(home)) as instance,
    ):
        return instance.get_runs_count()


def test_a_command_holds_the_month_for_its_runs_and_none_of_them_waits(tmp_path: Path) -> None:
    month = a_month(tmp_path)
    month.provider.decides_at_once = True
    settings = Settings(home=tmp_path, ledger=month.url)
    with month.ledger.alone(MONTH), dagster_environment(settings) as home:
        for job in ("close_month", "finalize_and_collect"):
            run_job(home, RunRequest(job, MONTH), print, month.resources())
    assert close_month(settings, MONTH, print).nothing_to_do
    assert month.run(*COLLECT).success
