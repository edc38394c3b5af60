"""A new price list while traffic flows: its meters end as if they had been there from the start."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.embedded import ROOT, free_ports
from tests.plants import (
    CATALOG,
    Plant,
    Traffic,
    announced,
    running_plant,
    used,
    wait_until_counted,
)

pytestmark = [pytest.mark.integration, pytest.mark.timeout(900)]

MORE = (
    CATALOG.replace(
        "plans:",
        """\
  input_tokens:
    event_type: llm.request
    aggregation: sum
    value: [input_tokens]
  largest:
    event_type: llm.request
    aggregation: max
    value: [input_tokens]
plans:""",
    )
    .replace(
        "hard_limit: 100%}",
        "hard_limit: 100%, quotas: {hour: {limit: 100000}}}",
    )
    .replace("name: plant", "name: plant_two")
)


@pytest.fixture(scope="module")
def plant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plant]:
    with running_plant(tmp_path_factory.mktemp("rollout")) as running:
        yield running


@pytest.fixture(scope="module")
def traffic(plant: Plant) -> Traffic:
    return Traffic(plant)


def apply(plant: Plant, catalog: str) -> None:
    path = plant.settings.home / "next.yaml"
    path.write_text(catalog)
    done = plant.command("catalog", "apply", str(path))
    assert done.returncode == 0, done.stderr
    assert "countinghouse catalog rollout" in done.stdout


def test_a_meter_added_while_traffic_flows_equals_a_recount(plant: Plant, traffic: Traffic) -> None:
    with ExitStack() as new:
        with plant.worker("landing"), plant.worker("counters"):
            traffic.send(1200)
            wait_until_counted(plant)
            with traffic.flowing():
                apply(plant, MORE)
                for name in ("landing", "counters"):
                    port = str(free_ports(1)[0])
                    new.enter_context(
                        plant.worker(name, **{f"COUNTINGHOUSE_{name.upper()}_PORT": port})
                    )
                time.sleep(2)  # old and new workers side by side, as in a rolling restart
        with traffic.flowing():
            for seconds in (1.0, 2.5):
                killed = subprocess.Popen(
                    [sys.executable, "-m", "countinghouse", "catalog", "rollout"],
                    cwd=ROOT,
                    env=plant.environment,
                    stderr=subprocess.DEVNULL,
                    stdout=subprocess.DEVNULL,
                )
                time.sleep(seconds)
                killed.send_signal(signal.SIGKILL)
                killed.wait()
            done = plant.command("catalog", "rollout", "--json")
            assert done.returncode == 0, done.stderr
        wait_until_counted(plant)
        # none are left where a killed one had got to its end, and then nothing is told
        if json.loads(done.stdout)["meters"]:
            for stage in ("waiting for all workers of counters to run version 2", "filling stored"):
                assert stage in done.stderr
        assert json.loads(done.stdout)["meters"] in ([], ["tokens", "input_tokens", "largest"])
        code, rows, told = plant.reconcile("--all")
        assert code == 0, told
        assert {row["window"] for row in rows if row["meter"] == "tokens"} == {
            "billing_period",
            "hour",
        }
    assert used(plant, "input_tokens") == dict(traffic.tokens)
    assert used(plant, "largest") == traffic.largest
    assert used(plant, "tokens") == dict(traffic.tokens)
    assert used(plant, "tokens", kind="hour") == dict(traffic.tokens)
    assert set(announced(plant).values()) == {1}


def test_stored_usage_has_the_new_meters_by_every_way_of_reading_it(
    plant: Plant, traffic: Traffic
) -> None:
    with plant.warehouse() as warehouse:
        for sql in (
            "SELECT tenant, sum(value) FROM metered_usage FINAL WHERE meter = 'input_tokens' "
            "GROUP BY tenant",
            "SELECT tenant, sum(quantities[indexOf(meters, 'input_tokens')]) "
            "FROM (SELECT * FROM usage_events FINAL ORDER BY ver DESC LIMIT 1 BY tenant, id) "
            "GROUP BY tenant",
        ):
            assert {t: int(n) for t, n in warehouse.query(sql).result_rows} == dict(traffic.tokens)
        [[conflicts]] = warehouse.query("SELECT count() FROM conflicts").result_rows
        assert conflicts == 0


def test_rolling_out_again_changes_nothing(plant: Plant) -> None:
    done = plant.command("catalog", "rollout", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {
        "version": 2,
        "meters": [],
        "filled": 0,
        "counters": 0,
        "announced": 0,
    }


def test_counters_with_an_old_price_list_are_told(plant: Plant, traffic: Traffic) -> None:
    with plant.worker("landing"), plant.worker("counters"):
        traffic.send(50)
        wait_until_counted(plant)
        apply(plant, MORE.replace("largest:", "greatest:"))
        done = plant.command("counters", "rebuild")
        assert done.returncode == 4
        assert "is counted by version 2 of the price list, version 3 is applied" in done.stderr
