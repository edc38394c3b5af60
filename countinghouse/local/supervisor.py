"""supervisord for one home folder: its configuration, its start, and what it is asked later.

It restarts what dies, keeps a limited log file for each process, and outlives the command that
started it. Which processes there are and when they are ready is not its matter.
"""

import hashlib
import os
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from http.client import HTTPException
from pathlib import Path
from typing import Any
from xmlrpc.client import Fault, ServerProxy

from countinghouse.local.environment import ROOT
from countinghouse.local.processes import Process
from schemas.errors import BillingError

LONGEST_SOCKET_PATH = 100  # the system's limit is 104 to 108 bytes
START_SECONDS = 10
STOP_SECONDS = 60

_CONFIG = """\
[unix_http_server]
file={socket}
chmod=0700

[supervisord]
logfile={logs}/supervisor.log
logfile_maxbytes=1MB
logfile_backups=1
pidfile={run}/supervisor.pid
childlogdir={logs}
{user}

[rpcinterface:supervisor]
supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface
"""

# A process that lives a second counts as started and is restarted whenever it dies; one that does
# not is tried again after 1, 2, 3 … seconds. The stop signal goes to the process, the kill to all
# that it started.
_PROGRAM = """
[program:{name}]
command={command}
directory={directory}
priority={priority}
autostart=false
autorestart=true
startsecs=1
startretries=5
stopsignal=TERM
stopwaitsecs=20
killasgroup=true
redirect_stderr=true
strip_ansi=true
stdout_logfile={logs}/{name}.log
stdout_logfile_maxbytes=10MB
stdout_logfile_backups=2
"""


class Supervisor:
    """The supervisord of one home folder, running or not."""

    def __init__(self, home: Path) -> None:
        self.run = home / "run"
        self.logs = home / "logs"
        self.socket = _socket_path(self.run)

    def launch(self, processes: Sequence[Process], environment: Mapping[str, str]) -> None:
        """Start supervisord itself as a daemon; none of the processes yet.

        Raises:
            BillingError: it ends at once, or does not answer.
        """
        for folder in (self.run, self.logs):
            folder.mkdir(parents=True, exist_ok=True)
        config = self.run / "supervisor.conf"
        config.write_text(self.config(processes))
        # It leaves this terminal and session by itself, once its socket is open.
        done = subprocess.run(
            [sys.executable, "-m", "supervisor.supervisord", "-c", str(config)],
            cwd=self.run,
            env=dict(environment),
            capture_output=True,
            text=True,
            check=False,
        )
        deadline = time.monotonic() + START_SECONDS
        while done.returncode or not self.is_running():
            if done.returncode or time.monotonic() > deadline:
                raise BillingError(f"supervisord does not start: {_last_line(done.stderr)}")
            time.sleep(0.02)

    def config(self, processes: Sequence[Process]) -> str:
        """Its configuration file."""
        user = "user=root" if os.geteuid() == 0 else ""
        head = {"socket": self.socket, "logs": self.logs, "run": self.run}
        programs = [
            {
                "name": process.name,
                "command": shlex.join(process.argv),
                "directory": ROOT,
                "priority": priority,
                "logs": self.logs,
            }
            for priority, process in enumerate(processes, start=1)
        ]
        escaped = [_CONFIG.format(**_escaped(head), user=user)]
        escaped += [_PROGRAM.format(**_escaped(program)) for program in programs]
        return "".join(escaped)

    def is_running(self) -> bool:
        """Whether it answers."""
        try:
            return bool(self._ask("getState")["statename"] == "RUNNING")
        except BillingError:
            return False

    def pid(self) -> int:
        """Its own process id."""
        return int(self._ask("getPID"))

    def start(self, name: str) -> None:
        """Start a process unless it runs; returns before it is ready."""
        try:
            self._ask("startProcess", name, False)
        except Fault as fault:
            if "ALREADY_STARTED" not in fault.faultString:
                raise BillingError(f"{name} cannot be started: {fault.faultString}") from fault

    def stop(self, names: Sequence[str], report: Callable[[str], object]) -> None:
        """Stop these processes side by side and wait for them; told is for whom."""
        known = self.infos()  # one of an earlier version of ours may lack some of the names
        running = [name for name in names if known.get(name, {}).get("statename") in _ALIVE]
        for name in running:
            self._ask("stopProcess", name, False)
        deadline = time.monotonic() + STOP_SECONDS
        alive, told = running, list[str]()
        while alive and time.monotonic() < deadline:  # what is left then is killed with the rest
            if alive != told:
                told = alive
                report(f"waiting for {', '.join(alive)} to stop")
            time.sleep(0.05)
            alive = [name for name in running if self.info(name)["statename"] in _ALIVE]

    def info(self, name: str) -> dict[str, Any]:
        """What it knows of one process."""
        return dict(self._ask("getProcessInfo", name))

    def infos(self) -> dict[str, dict[str, Any]]:
        """What it knows of every process, by name; empty when it does not run."""
        try:
            return {info["name"]: info for info in self._ask("getAllProcessInfo")}
        except BillingError:
            return {}

    def shutdown(self) -> None:
        """Ask it to stop what is left and end."""
        self._ask("shutdown")

    def _ask(self, method: str, *arguments: object) -> Any:
        from supervisor.xmlrpc import SupervisorTransport

        transport = SupervisorTransport(None, None, f"unix://{self.socket}")
        try:
            with ServerProxy("http://127.0.0.1", transport=transport) as proxy:
                return getattr(proxy.supervisor, method)(*arguments)
        except (OSError, HTTPException) as error:
            raise BillingError(f"no stack answers at {self.socket}") from error


_ALIVE = frozenset({"STARTING", "RUNNING", "STOPPING", "BACKOFF"})


def _last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1] if lines else "it does not answer"


def _escaped(values: Mapping[str, object]) -> dict[str, str]:
    """A percent sign begins an expansion in the configuration."""
    return {name: str(value).replace("%", "%%") for name, value in values.items()}


def _socket_path(run: Path) -> Path:
    """In the home folder, or in the system's temporary one when that path would be too long."""
    path = run / "supervisor.sock"
    if len(os.fsencode(path)) <= LONGEST_SOCKET_PATH:
        return path
    digest = hashlib.sha256(os.fsencode(run)).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"countinghouse-{os.geteuid()}-{digest}.sock"
