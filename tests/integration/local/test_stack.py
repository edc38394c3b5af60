"""The local stack: started, killed in every way, started again, stopped."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

import psutil
import pytest

from countinghouse.local.environment import settings_environment
from countinghouse.local.orphans import marked_processes
from countinghouse.local.probes import http_probe
from countinghouse.local.processes import STORES, Process, stack_processes
from countinghouse.local.stack import LocalStack
from countinghouse.settings import Settings
from schemas.errors import BillingError, Conflict, DependencyUnreachable
from tests.embedded import free_ports

pytestmark = pytest.mark.integration

# Starts a child of its own, as Dagster does, and leaves it alone when it is killed.
PARENT = (
    "import subprocess, sys; "
    "subprocess.run([sys.executable, '-m', 'http.server', '--bind', '127.0.0.1', sys.argv[1]])"
)


def a_process(name: str, port: int, *argv: str) -> Process:
    return Process(
        name=name,
        phase=STORES,
        argv=argv or (sys.executable, "-m", "http.server", "--bind", "127.0.0.1", str(port)),
        port_settings=("api_port",),
        ports=(port,),
        is_ready=http_probe("127.0.0.1", port, "/"),
    )


def two_servers(settings: Settings) -> list[Process]:
    parent = (sys.executable, "-c", PARENT, str(settings.api_port))
    return [
        a_process("plain", settings.landing_port),
        a_process("parent", settings.api_port, *parent),
    ]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    names = [name for name in Settings.model_fields if name.endswith("_port")]
    ports = dict(zip(names, free_ports(len(names)), strict=True))
    return Settings(home=tmp_path / "home", **ports)  # type: ignore[arg-type]


@pytest.fixture
def stack(settings: Settings) -> Iterator[LocalStack]:
    stack = LocalStack(settings, table=two_servers)
    yield stack
    stack.stop()
    assert marked_processes(stack.home) == []


def pids(stack: LocalStack) -> dict[str, int | None]:
    return {one.name: one.pid for one in stack.status()}


def wait_until(is_true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not is_true():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def all_ready(stack: LocalStack) -> bool:
    return all(one.is_ready for one in stack.status())


def test_a_process_is_restarted_and_the_others_go_on(stack: LocalStack) -> None:
    told: list[str] = []
    stack.start(told.append)
    before = pids(stack)
    stack.restart(["plain"], told.append)
    assert all_ready(stack)
    assert pids(stack)["plain"] != before["plain"]
    assert pids(stack)["parent"] == before["parent"]
    assert told[-3:] == ["waiting for plain to stop", "starting plain", "plain is ready again"]


def test_stopping_tells_whom_it_waits_for(stack: LocalStack) -> None:
    told: list[str] = []
    stack.start(lambda _: None)
    stack.stop(told.append)
    assert told[0] == "waiting for plain, parent to stop"
    assert told[-1] == "waiting for the supervisor to end"


def test_processes_held_back_come_again_whatever_happens(stack: LocalStack) -> None:
    stack.start(lambda _: None)
    held_back: dict[str, int | None] = {}
    with suppress(ZeroDivisionError), stack.without(["plain"], lambda _: None):
        held_back = pids(stack)
        raise ZeroDivisionError
    assert held_back["plain"] is None
    assert held_back["parent"] is not None
    assert all_ready(stack)


def kill(pid: int | None) -> None:
    assert pid
    os.kill(pid, signal.SIGKILL)


def kill_one(stack: LocalStack) -> None:
    kill(pids(stack)["plain"])


def kill_supervisor(stack: LocalStack) -> None:
    kill(int((stack.home / "run" / "supervisor.pid").read_text()))


def kill_everything(stack: LocalStack) -> None:
    kill_supervisor(stack)
    for pid in pids_of(stack):
        kill(pid)


def kill_parents(stack: LocalStack) -> None:
    known = pids(stack)
    kill_supervisor(stack)
    for pid in known.values():
        kill(pid)


def pids_of(stack: LocalStack) -> list[int]:
    return [process.pid for process in marked_processes(stack.home)]


def test_it_starts_reports_and_stops(stack: LocalStack) -> None:
    lines: list[str] = []
    stack.start(lines.append)
    assert [line.split(" ")[0] for line in lines] == ["plain", "parent"]
    assert all_ready(stack)
    assert stack.stop() == 2
    assert not stack.is_running()
    assert {one.state for one in stack.status()} == {"stopped"}
    assert stack.stop() == 0


def test_starting_twice_leaves_what_runs(stack: LocalStack) -> None:
    stack.start(lambda _: None)
    before = pids(stack)
    stack.start(lambda _: None)
    assert pids(stack) == before


@pytest.mark.parametrize("killing", [kill_one, kill_supervisor, kill_everything, kill_parents])
def test_it_starts_again_after_a_kill(
    stack: LocalStack, killing: Callable[[LocalStack], None]
) -> None:
    stack.start(lambda _: None)
    killing(stack)
    stack.start(lambda _: None)
    wait_until(partial(all_ready, stack))
    assert len(pids_of(stack)) == 4  # supervisord, plain, parent and its child


def test_a_process_that_dies_is_started_again(stack: LocalStack) -> None:
    stack.start(lambda _: None)
    before = pids(stack)["plain"]
    time.sleep(1.2)  # a process that lived for a second counts as started
    kill(before)
    wait_until(lambda: all_ready(stack) and pids(stack)["plain"] not in {None, before})


def test_stopping_finds_what_a_killed_stack_left(stack: LocalStack) -> None:
    stack.start(lambda _: None)
    kill_supervisor(stack)
    assert stack.stop() == 3
    assert pids_of(stack) == []


def test_a_process_that_cannot_start_is_named_with_its_last_words(settings: Settings) -> None:
    def table(settings: Settings) -> list[Process]:
        argv = (sys.executable, "-c", "raise SystemExit('no such thing')")
        return [a_process("broken", settings.api_port, *argv)]

    stack = LocalStack(settings, table=table)
    with pytest.raises(BillingError, match=r"broken does not start: no such thing \(see .*\.log\)"):
        stack.start(lambda _: None)
    assert not stack.is_running()
    assert pids_of(stack) == []


def test_a_running_stack_keeps_its_settings(stack: LocalStack, settings: Settings) -> None:
    stack.start(lambda _: None)
    other = LocalStack(settings.model_copy(update={"partitions": 3}), table=two_servers)
    with pytest.raises(Conflict, match="another COUNTINGHOUSE_PARTITIONS runs"):
        other.start(lambda _: None)


def test_a_busy_port_is_an_error_before_anything_starts(
    stack: LocalStack, settings: Settings
) -> None:
    command = [sys.executable, "-m", "http.server", "--bind", "127.0.0.1", str(settings.api_port)]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as squatter:
        wait_until(http_probe("127.0.0.1", settings.api_port, "/"))
        with pytest.raises(DependencyUnreachable, match=rf"\(process {squatter.pid}\).*API_PORT"):
            stack.start(lambda _: None)
        squatter.terminate()
    assert not stack.is_running()


def test_the_embedded_stores_come_up_from_the_command_line(settings: Settings) -> None:
    environment = {**os.environ, **settings_environment(settings)}

    def countinghouse(*arguments: str) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "-m", "countinghouse", *arguments]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    with LocalStack(settings, only=["kafka", "warehouse"]) as stack:
        status = countinghouse("status", "--json")
        assert status.returncode == 1  # the workers do not run
        assert '"name": "kafka",\n  "state": "running",\n  "is_ready": true' in status.stdout
        again = LocalStack(settings, only=["warehouse"])
        again.start(lambda _: None)
        assert psutil.pid_exists(pids(again)["warehouse"] or 0)
        down = countinghouse("down")
        assert (down.returncode, down.stdout) == (0, "stopped 2 processes\n")
        assert not stack.is_running()
    assert countinghouse("down").stdout == f"nothing runs in {settings.home}\n"


def test_the_tables_processes_are_startable(settings: Settings) -> None:
    for process in stack_processes(settings):
        assert Path(process.argv[0]).exists()
