"""The local stack as one thing: started in the order of readiness, stopped in the reverse one.

Starting a running stack starts only what is missing; starting after a kill of anything first
stops what was left.
"""

import fcntl
import importlib.util
import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil

from countinghouse.local.checks import start_checks, wait_for_ports
from countinghouse.local.dagster_home import ready_home
from countinghouse.local.environment import child_environment, settings_environment
from countinghouse.local.front.token import ensure_token
from countinghouse.local.jars import cache_folder, ensure_jars
from countinghouse.local.orphans import stop_orphans, wait_for_end
from countinghouse.local.processes import STORES, WORKERS, Process, stack_processes
from countinghouse.local.supervisor import STOP_SECONDS, Supervisor
from countinghouse.settings import Settings
from schemas.errors import BillingError, Conflict, DependencyUnreachable

READY_SECONDS = 120
PROBE_SECONDS = 0.05
# A process that ended at once may have met a port that was about to be free: it is tried again.
_PATIENCE_SECONDS = {"FATAL": 0.0, "EXITED": 0.0, "BACKOFF": 4.0}
_STATES = {"STARTING": "starting", "BACKOFF": "starting", "RUNNING": "running", "FATAL": "failed"}

Report = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class ProcessStatus:
    """One process as it is now. `state` is starting, running, failed or stopped."""

    name: str
    state: str
    is_ready: bool
    pid: int | None
    port: int | None
    uptime_seconds: int
    log: str


class LocalStack:
    """The processes of one home folder, of which `only` some may be wanted."""

    def __init__(
        self,
        settings: Settings,
        only: Sequence[str] | None = None,
        table: Callable[[Settings], list[Process]] = stack_processes,
    ) -> None:
        self.settings = settings
        self.home = settings.home.absolute()
        self._all = table(settings)
        self._wanted = [one for one in self._all if one.is_chosen(only)]
        self._supervisor = Supervisor(self.home)

    def __enter__(self) -> Self:
        self.start(lambda _: None)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def is_running(self) -> bool:
        """Whether a stack runs in this home, whatever is in it."""
        return self._supervisor.is_running()

    def start(self, report: Report) -> None:
        """Start what does not run yet; returns when all of it is ready.

        Raises:
            DependencyUnreachable: a port is busy, the disk full, an address wrong.
            Conflict: a stack with other settings runs in this home.
            BillingError: a process does not come up; the text names its log.
        """
        with self._locked():
            was_running = self.is_running()
            if was_running:
                self._require_same_settings()
            else:
                self._launch(report)
            try:
                self._start_processes(report)
            except BaseException:
                if not was_running:
                    self._stop(report)
                raise

    def stop(self, report: Report = lambda _: None) -> int:
        """Stop all of the stack, and what a killed one left; how many processes that were."""
        with self._locked():
            return self._stop(report)

    @contextmanager
    def without(self, names: Sequence[str], report: Report) -> Iterator[None]:
        """Hold processes of the running stack back for the block; started again, whatever happens.

        Raises:
            BillingError: one does not come up again; the text names its log.
        """
        with self._locked():
            report(f"{', '.join(names)} are stopped for a moment")
            self._supervisor.stop(names, report)
            try:
                yield
            finally:
                self._start_again([one for one in self._all if one.name in names], report)

    def restart(self, names: Sequence[str], report: Report) -> None:
        """Stop and start processes of the running stack, one after the other.

        Raises:
            BillingError: one does not come up again; the text names its log.
        """
        with self._locked():
            for process in [one for one in self._all if one.name in names]:
                self._supervisor.stop([process.name], report)
                self._start_again([process], report)

    def _start_again(self, processes: Sequence[Process], report: Report) -> None:
        report(f"starting {', '.join(process.name for process in processes)}")
        for process in processes:
            self._supervisor.start(process.name)
        for process in processes:
            self._wait_for(process)
            report(f"{process.name} is ready again")

    def status(self) -> list[ProcessStatus]:
        """Every process of the stack."""
        infos = self._supervisor.infos()
        return [self._status(process, infos.get(process.name, {})) for process in self._all]

    def _launch(self, report: Report) -> None:
        if left := stop_orphans(self.home):
            report(f"stopped {left} processes that a killed stack had left")
        wait_for_ports(self._wanted)
        for check in start_checks(self.settings, self._wanted):
            if not check.ok:
                raise DependencyUnreachable(str(check))
        names = {process.name for process in self._wanted}
        if "kafka" in names:
            ensure_jars(cache_folder(), report)
        if "warehouse" in names:
            ensure_token(self.home / "warehouse.token")
        if "dagster" in names:
            ready_home(self.home)
        self._supervisor.launch(self._all, child_environment(self.settings))
        self._remembered.write_text(json.dumps(settings_environment(self.settings), indent=1))

    def _start_processes(self, report: Report) -> None:
        self._start_phase(STORES, report)
        if any(process.phase == WORKERS for process in self._wanted):
            prepare_stores(self.settings, report)
            self._start_phase(WORKERS, report)

    def _start_phase(self, phase: str, report: Report) -> None:
        """Start side by side, report one by one."""
        processes = [process for process in self._wanted if process.phase == phase]
        started = time.monotonic()
        for process in processes:
            self._supervisor.start(process.name)
        for process in processes:
            self._wait_for(process)
            seconds = time.monotonic() - started
            where = f" on port {process.port}" if process.port else ""
            report(f"{process.name} is ready{where} ({seconds:.1f} s)")

    def _wait_for(self, process: Process) -> None:
        started = time.monotonic()
        while not process.is_ready():
            info = self._supervisor.info(process.name)
            patience = _PATIENCE_SECONDS.get(info["statename"], READY_SECONDS)
            if time.monotonic() > started + patience:
                log = Path(info["stdout_logfile"])
                raise BillingError(f"{process.name} does not start: {_last_line(log)} (see {log})")
            time.sleep(PROBE_SECONDS)

    def _stop(self, report: Report) -> int:
        stopped = 0
        if self._supervisor.is_running():
            stopped = sum(info["pid"] > 0 for info in self._supervisor.infos().values())
            for phase in (WORKERS, STORES):
                names = [one.name for one in self._all if one.phase == phase]
                self._supervisor.stop(names, report)
            report("waiting for the supervisor to end")
            process = psutil.Process(self._supervisor.pid())
            self._supervisor.shutdown()
            wait_for_end([process], STOP_SECONDS)
        left = stop_orphans(self.home)
        return stopped or left

    def _status(self, process: Process, info: dict[str, int | str]) -> ProcessStatus:
        pid = int(info.get("pid", 0)) or None
        return ProcessStatus(
            name=process.name,
            state=_STATES.get(str(info.get("statename", "")), "stopped"),
            is_ready=pid is not None and process.is_ready(),
            pid=pid,
            port=process.port,
            uptime_seconds=int(info["now"]) - int(info["start"]) if pid else 0,
            log=str(self._supervisor.logs / f"{process.name}.log"),
        )

    @property
    def _remembered(self) -> Path:
        """The settings of the stack that runs."""
        return self._supervisor.run / "settings.json"

    def _require_same_settings(self) -> None:
        running: dict[str, str] = json.loads(self._remembered.read_text())
        wanted = settings_environment(self.settings)
        if other := sorted(name for name in wanted if running.get(name) != wanted[name]):
            raise Conflict(
                f"a stack with another {', '.join(other)} runs in {self.home}: "
                "stop it first (countinghouse down)"
            )

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """One command at a time starts or stops the stack of a home."""
        try:
            self._supervisor.run.mkdir(parents=True, exist_ok=True)
            handle = (self._supervisor.run / "lock").open("w")
        except OSError as error:
            raise DependencyUnreachable(
                f"{self.home} cannot be written ({error.strerror}): make it writable, "
                "or set COUNTINGHOUSE_HOME to another folder"
            ) from error
        with handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield


def prepare_stores(settings: Settings, report: Report) -> None:
    """Create topics, tables and the ledger, unless they are there."""
    if importlib.util.find_spec("countinghouse.init") is None:
        return
    importlib.import_module("countinghouse.init").prepare(settings)
    report("topics, tables and ledger are prepared")


def _last_line(log: Path) -> str:
    lines = log.read_text(errors="replace").strip().splitlines() if log.exists() else []
    return lines[-1] if lines else "it wrote nothing"
