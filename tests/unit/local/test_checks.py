"""What `up` and `doctor` say of a machine."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path
from threading import Timer

import pytest

from countinghouse.local import checks
from countinghouse.local.checks import (
    address_checks,
    disk_check,
    home_check,
    port_checks,
    port_owner,
    python_check,
    wait_for_ports,
)
from countinghouse.local.processes import stack_processes
from countinghouse.settings import Settings


@pytest.fixture
def busy_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_this_python_fits() -> None:
    assert python_check().ok


def test_a_home_that_does_not_exist_is_made(tmp_path: Path) -> None:
    assert home_check(Settings(home=tmp_path / "a" / "b")).ok
    assert list((tmp_path / "a" / "b").iterdir()) == []


def test_a_home_that_cannot_be_made_has_a_remedy(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    check = home_check(Settings(home=tmp_path / "file" / "home"))
    assert not check.ok
    assert "cannot be written" in str(check)
    assert "COUNTINGHOUSE_HOME" in str(check)


def test_a_full_disk_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert disk_check(Settings(home=tmp_path / "not" / "yet")).ok
    monkeypatch.setattr(checks, "DISK_BYTES", 10**18)
    check = disk_check(Settings(home=tmp_path))
    assert not check.ok
    assert "GB free at" in str(check)


def test_a_busy_port_names_its_owner_and_the_setting(busy_port: int) -> None:
    processes = stack_processes(Settings(api_port=busy_port), only=["api"])
    (check,) = port_checks(processes)
    assert not check.ok
    assert f"(process {os.getpid()})" in str(check)
    assert "set COUNTINGHOUSE_API_PORT to a free port" in str(check)


def test_a_port_that_is_let_go_in_a_moment_is_waited_for() -> None:
    server = socket.create_server(("127.0.0.1", 0))
    processes = stack_processes(Settings(api_port=server.getsockname()[1]), only=["api"])
    Timer(0.3, server.close).start()
    wait_for_ports(processes)
    assert all(check.ok for check in port_checks(processes))


def test_a_port_that_stays_busy_is_waited_for_no_longer(
    busy_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checks, "LETTING_GO_SECONDS", 0.1)
    processes = stack_processes(Settings(api_port=busy_port), only=["api"])
    wait_for_ports(processes)
    assert not all(check.ok for check in port_checks(processes))


def test_a_free_port_is_free(busy_port: int) -> None:
    assert port_owner(busy_port) != "another program"
    with socket.create_server(("127.0.0.1", 0)) as server:
        free = server.getsockname()[1]
    (check,) = port_checks(stack_processes(Settings(api_port=free), only=["api"]))
    assert check.ok


@pytest.mark.parametrize(
    ("setting", "scheme"), [("clickhouse", "http"), ("ledger", "postgresql+psycopg")]
)
def test_an_address_that_does_not_answer_is_named_without_its_password(
    setting: str, scheme: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    url = f"{scheme}://someone:secret@127.0.0.1:{port}/default"
    (check,) = address_checks(Settings().model_copy(update={setting: url}))
    assert not check.ok
    assert f"COUNTINGHOUSE_{setting.upper()} at 127.0.0.1:{port}/default" in str(check)
    assert "secret" not in str(check)


def test_a_ledger_that_listens_answers(busy_port: int) -> None:
    (check,) = address_checks(Settings(ledger=f"postgresql+psycopg://a@127.0.0.1:{busy_port}/b"))
    assert check.ok


def test_settings_of_kafka_that_contradict_each_other_are_named() -> None:
    (check,) = address_checks(Settings(kafka="127.0.0.1:1", kafka_security_protocol="SASL_SSL"))
    assert not check.ok
    assert "COUNTINGHOUSE_KAFKA_USERNAME is not set" in str(check)


def test_the_embedded_broker_speaks_plain_text_alone() -> None:
    (check,) = address_checks(Settings(kafka_security_protocol="SSL"))
    assert not check.ok
    assert "set COUNTINGHOUSE_KAFKA, or unset COUNTINGHOUSE_KAFKA_SECURITY_PROTOCOL" in str(check)


def test_a_kafka_that_does_not_answer_is_named_with_the_reason(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(checks, "KAFKA_SECONDS", 1)
    (check,) = address_checks(Settings(kafka="127.0.0.1:1"))
    assert not check.ok
    assert "COUNTINGHOUSE_KAFKA at 127.0.0.1:1: Connect to" in check.found
    assert "refused" in check.found


def test_the_embedded_stores_need_no_address() -> None:
    assert list(address_checks(Settings())) == []
