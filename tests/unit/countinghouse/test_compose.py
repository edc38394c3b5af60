"""compose.yaml runs what `countinghouse up` runs, by settings that exist."""

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import SecretStr

from countinghouse.cli.worker import WORKERS
from countinghouse.local.processes import stack_processes
from countinghouse.settings import Settings
from stores.kafka_settings import KafkaSettings

ROOT = Path(__file__).resolve().parents[3]
COMPOSE = ROOT / "compose.yaml"

IN_PRODUCTION = {
    "kafka": {"kafka"},
    "warehouse": {"clickhouse"},
    "dagster": {"dagster-webserver", "dagster-code"},
    "dagster-daemon": {"dagster-daemon"},
}
"""The services that stand for a process of the local stack; the workers keep their names."""
ONLY_IN_PRODUCTION = {"postgres", "init"}


@pytest.fixture(scope="module")
def services() -> dict[str, Any]:
    """The services of compose.yaml, merges resolved."""
    document: dict[str, Any] = yaml.safe_load(COMPOSE.read_text())
    services: dict[str, Any] = document["services"]
    return services


def test_the_services_are_the_processes_of_the_local_stack(services: dict[str, Any]) -> None:
    processes = {process.name for process in stack_processes(Settings())}
    expected = set.union(*(IN_PRODUCTION.get(name, {name}) for name in processes))
    assert set(services) == expected | ONLY_IN_PRODUCTION


def test_each_worker_is_started_by_its_own_command(services: dict[str, Any]) -> None:
    commands = {
        n: s["command"] for n, s in services.items() if s.get("command", [""])[0] == "worker"
    }
    assert commands == {name: ["worker", name] for name in WORKERS}


def test_every_variable_is_a_setting(services: dict[str, Any]) -> None:
    known = {f"COUNTINGHOUSE_{name.upper()}" for name in Settings.model_fields}
    for name, service in services.items():
        ours = {key for key in service.get("environment", {}) if key.startswith("COUNTINGHOUSE_")}
        assert ours <= known, name


def test_what_is_embedded_has_an_address_in_production(services: dict[str, Any]) -> None:
    environment = services["landing"]["environment"]
    for name in ("KAFKA", "CLICKHOUSE", "LEDGER"):
        assert environment[f"COUNTINGHOUSE_{name}"]
    ours = environment["COUNTINGHOUSE_KAFKA"].removeprefix("${KAFKA:-")
    assert ours.split(":")[0] in services


def test_a_kafka_of_your_own_is_reached_by_every_setting_that_there_is(
    services: dict[str, Any],
) -> None:
    passed_on = services["landing"]["environment"]
    for name, field in KafkaSettings.model_fields.items():
        if name.startswith("kafka_") and name != "kafka_port":
            secret = isinstance(field.default, SecretStr)
            default = field.default.get_secret_value() if secret else field.default
            variable = f"COUNTINGHOUSE_{name.upper()}"
            assert passed_on[variable] == f"${{{name.upper()}:-{default}}}", variable


def test_kafka_is_the_version_that_the_local_stack_runs(services: dict[str, Any]) -> None:
    from countinghouse.local.jars import KAFKA_VERSION

    assert services["kafka"]["image"] == f"apache/kafka:{KAFKA_VERSION}"


def test_dagster_loads_its_code_from_the_code_server() -> None:
    workspace = yaml.safe_load((ROOT / "dagster_project/home/workspace.yaml").read_text())
    [location] = workspace["load_from"]
    assert location["grpc_server"]["host"] == "dagster-code"


@pytest.mark.skipif(
    not shutil.which("docker")
    or subprocess.run(["docker", "compose", "version"], capture_output=True, check=False).returncode
    != 0,
    reason="docker compose is not installed",
)
def test_docker_compose_accepts_it() -> None:
    checked = subprocess.run(
        ["docker", "compose", "-f", str(COMPOSE), "config", "--quiet"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert checked.returncode == 0, checked.stderr


def test_dagsters_policies_are_the_same_in_production() -> None:
    home = ROOT / "dagster_project/home"
    local = yaml.safe_load((home / "dagster.yaml").read_text())
    production = yaml.safe_load((home / "production/dagster.yaml").read_text())
    assert production.pop("storage") == {
        "postgres": {"postgres_url": {"env": "DAGSTER_POSTGRES_URL"}}
    }
    assert production == local
