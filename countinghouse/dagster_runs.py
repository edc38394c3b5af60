"""One run of a Dagster job in this process: its progress as lines, its failure as our exception."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from socket import gethostname
from typing import Any
from uuid import uuid4

import dagster as dg
from dagster import DagsterEventType

from dagster_project.automation import tags
from dagster_project.definitions import defs
from dagster_project.metadata import LISTED_BY
from dagster_project.resources import PROCESS_TAG
from schemas.errors import BillingError, ReconciliationFailed

Report = Callable[[str], None]
WARNING = 30


@dataclass(frozen=True, slots=True)
class RunRequest:
    """A job's run for a month; `only` is the one asset to run of it. Its caller holds the month."""

    job: str
    month: str
    config: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    only: str | None = None
    run_id: str = field(default_factory=lambda: str(uuid4()))


@dataclass(frozen=True, slots=True)
class RunEnded:
    """A run that went to its end: its id, and what its checks warn of, in a line each."""

    run_id: str
    warnings: tuple[str, ...]


def run_job(
    home: Path,
    request: RunRequest,
    report: Report,
    resources: Mapping[str, object] | None = None,
) -> RunEnded:
    """Run a job to its end in the instance of a home folder.

    `resources` stand in for those of the definitions.

    Raises:
        BillingError: what a step raised, or ReconciliationFailed for a check that stops the run.
    """
    job = defs.resolve_job_def(request.job)
    run_id = request.run_id
    told = _Told(report)
    with dg.DagsterInstance.from_config(str(home)) as instance:
        _end_killed(instance)
        instance.add_event_listener(run_id, told.hear)
        result = job.execute_in_process(
            run_id=run_id,
            instance=instance,
            partition_key=request.month,
            tags=tags(request.month, "command line") | {PROCESS_TAG: _this_process()},
            run_config=_config(request),
            asset_selection=[dg.AssetKey(request.only)] if request.only else None,
            resources=resources,
            raise_on_error=False,
        )
    if not result.success:
        raise told.failure or BillingError(f"{request.job} failed: see run {run_id} in Dagster")
    return RunEnded(run_id, tuple(told.warnings))


def _end_killed(instance: dg.DagsterInstance) -> None:
    """Mark runs of killed processes as failed: Dagster would wait an hour for them.

    It is known by its tag. Runs of other machines are left alone.
    """
    started = dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED])
    for run in instance.get_runs(started):
        host, _, process = run.tags.get(PROCESS_TAG, "").rpartition(":")
        if host == gethostname() and not _is_alive(int(process)):
            instance.report_run_failed(run, "its process was killed")


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _this_process() -> str:
    return f"{gethostname()}:{os.getpid()}"


def _config(request: RunRequest) -> dict[str, Any]:
    """The steps' config; Dagster's own log lines stay in its instance."""
    return {
        "ops": {name: {"config": dict(config)} for name, config in request.config.items()},
        "loggers": {"console": {"config": {"log_level": "CRITICAL"}}},
    }


class _Told:
    """What a run's events say to a person."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self.failure: BillingError | None = None
        self.warnings: list[str] = []

    def hear(self, entry: dg.EventLogEntry) -> None:
        """Take an event as it happens."""
        event = entry.dagster_event
        if event is None:
            if entry.level == WARNING:
                self._report(entry.user_message)
            return
        match event.event_type:
            case DagsterEventType.ASSET_MATERIALIZATION:
                self._materialized(event)
            case DagsterEventType.ASSET_CHECK_EVALUATION:
                self._checked(event)
            case DagsterEventType.STEP_FAILURE:
                self._failed(event)

    def _materialized(self, event: dg.DagsterEvent) -> None:
        materialization = event.step_materialization_data.materialization
        shown = ", ".join(
            f"{name.replace('_', ' ')} {each.value}"
            for name, each in materialization.metadata.items()
            if isinstance(each, dg.IntMetadataValue | dg.TextMetadataValue)
            and each.value != "none"
            and not _is_aside(name)
        )
        self._report(f"{materialization.asset_key.to_user_string().replace('_', ' ')}: {shown}")

    def _checked(self, event: dg.DagsterEvent) -> None:
        check = event.asset_check_evaluation_data
        mark = "ok" if check.passed else check.severity.value.lower()
        line = f"{check.check_name.replace('_', ' ')}: {check.description}"
        self._report(f"  {mark}: {line}")
        if not check.passed and check.severity is dg.AssetCheckSeverity.ERROR:
            self.failure = ReconciliationFailed(line)
        elif not check.passed:
            listed_by = check.metadata.get(LISTED_BY)
            self.warnings.append(f"{line}; see `{listed_by.value}`" if listed_by else line)

    def _failed(self, event: dg.DagsterEvent) -> None:
        error = event.step_failure_data.error
        cause = error.cause if error and error.cause else error
        if cause is not None and self.failure is None:
            self.failure = _as_ours(str(event.step_key), cause.cls_name or "", cause.message)


def _is_aside(name: str) -> bool:
    return name.endswith("_minor") or name in ("period", "opened")


def _as_ours(step: str, name: str, message: str) -> BillingError:
    """A step's failure as the exception of ours that it was, or else as one that names the step."""
    known = {each.__name__: each for each in _subclasses(BillingError)}
    text = message.partition(": ")[2].strip() or message.strip()
    if name in known:
        return known[name](text)
    return BillingError(f"{step} failed with {name}: {text.splitlines()[0] if text else ''}")


def _subclasses(base: type[BillingError]) -> list[type[BillingError]]:
    return [base] + [each for direct in base.__subclasses__() for each in _subclasses(direct)]
