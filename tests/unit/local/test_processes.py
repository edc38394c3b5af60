"""Which processes the stack has under which settings, and how supervisord is told."""

from configparser import RawConfigParser
from pathlib import Path

import pytest

from countinghouse.local.processes import STORES, WORKERS, stack_processes
from countinghouse.local.supervisor import LONGEST_SOCKET_PATH, Supervisor
from countinghouse.settings import Settings

WORKER_NAMES = ["sandbox", "api", "relay", "landing", "counters", "dagster", "dagster-daemon"]


@pytest.mark.parametrize(
    ("settings", "names"),
    [
        (Settings(), ["kafka", "warehouse", *WORKER_NAMES]),
        (Settings(kafka="broker:9092"), ["warehouse", *WORKER_NAMES]),
        (Settings(clickhouse="http://host:8123/default"), ["kafka", *WORKER_NAMES]),
        (Settings(kafka="broker:9092", clickhouse="http://host:8123/default"), WORKER_NAMES),
    ],
)
def test_an_external_store_is_not_started(settings: Settings, names: list[str]) -> None:
    assert [process.name for process in stack_processes(settings)] == names


def test_stores_come_before_workers() -> None:
    phases = [process.phase for process in stack_processes(Settings())]
    assert phases == [STORES] * 2 + [WORKERS] * 7


def test_some_of_them_can_be_chosen() -> None:
    chosen = stack_processes(Settings(), only=["landing", "kafka"])
    assert [process.name for process in chosen] == ["kafka", "landing"]


def test_dagsters_daemon_goes_with_its_web_server() -> None:
    with_it = stack_processes(Settings(), only=["dagster"])
    assert [process.name for process in with_it] == ["dagster", "dagster-daemon"]
    assert stack_processes(Settings(), only=["dagster-daemon"]) == []


def test_no_two_processes_share_a_port() -> None:
    ports = [port for process in stack_processes(Settings()) for port in process.ports]
    assert len(set(ports)) == len(ports)


def test_supervisord_is_told_every_process(tmp_path: Path) -> None:
    processes = stack_processes(Settings(home=tmp_path))
    parser = RawConfigParser()
    parser.read_string(Supervisor(tmp_path).config(processes))
    programs = [name for name in parser.sections() if name.startswith("program:")]
    assert programs == [f"program:{process.name}" for process in processes]
    assert parser["program:kafka"]["autostart"] == "false"


def test_a_percent_sign_in_a_path_is_no_expansion(tmp_path: Path) -> None:
    home = tmp_path / "100%"
    config = Supervisor(home).config(stack_processes(Settings(home=home)))
    assert "100%%/logs/kafka.log" in config


def test_a_long_home_still_has_a_socket_that_the_system_can_open(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 100)
    assert len(str(Supervisor(deep).socket)) <= LONGEST_SOCKET_PATH
    assert Supervisor(deep).socket == Supervisor(deep).socket
    assert Supervisor(deep).socket != Supervisor(tmp_path / ("e" * 100)).socket
