"""`countinghouse reconcile` on real parts: exact while everything runs, at whatever distance."""

from collections.abc import Iterator

import pytest

from countinghouse.wiring import usage_log
from schemas.vector import Vector
from stores.warehouse.comparison import counted_positions
from tests.plants import Plant, Traffic, running_plant, wait_for

pytestmark = [pytest.mark.integration, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def plant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plant]:
    with running_plant(tmp_path_factory.mktemp("reconcile")) as running:
        yield running


@pytest.fixture(scope="module")
def traffic(plant: Plant) -> Traffic:
    return Traffic(plant)


def counted(plant: Plant) -> Vector:
    with plant.warehouse() as warehouse:
        return counted_positions(warehouse)


def wait_until_compared(plant: Plant) -> None:
    """Return when counters and landing have read everything."""
    log = usage_log(plant.settings)
    ends = log.ends()
    wait_for(lambda: log.landed().covers(ends), "landing")
    wait_for(lambda: counted(plant).covers(ends), "the counters")


def test_with_traffic_flowing_no_difference_is_ever_seen(plant: Plant, traffic: Traffic) -> None:
    with plant.worker("counters"), plant.worker("landing"), traffic.flowing():
        wait_for(lambda: len(counted(plant)) == 3, "the first counters to land")
        for _ in range(2):
            code, rows, told = plant.reconcile()
            assert (code, [row for row in rows if row["difference"] != "0"]) == (0, []), told
            assert rows
    assert "0 differ" in told


def test_in_the_end_the_counters_are_what_was_sent(plant: Plant, traffic: Traffic) -> None:
    with plant.worker("counters"), plant.worker("landing"):
        traffic.send(1500)
        tenant, tokens = traffic.send_again(1200)
        wait_until_compared(plant)
        code, rows, _ = plant.reconcile("--all")
    assert code == 0
    found = {row["tenant"]: row for row in rows if row["meter"] == "tokens"}
    repeated = {tenant: tokens}
    assert {name: int(row["warehouse"]) for name, row in found.items()} == dict(traffic.tokens)
    for name, row in found.items():
        assert int(row["counter"]) == traffic.tokens[name] + repeated.get(name, 0)
        assert int(row["late_repeats"]) == repeated.get(name, 0)


def test_landing_ahead_is_no_difference(plant: Plant, traffic: Traffic) -> None:
    """The counters stand still; what they have not read is not held against them."""
    with plant.worker("landing"):
        traffic.send(500)
        log = usage_log(plant.settings)
        wait_for(lambda: log.landed().covers(log.ends()), "landing")
        code, rows, told = plant.reconcile()
    assert code == 0, told
    assert sum(int(row["warehouse"]) for row in rows if row["meter"] == "tokens") < sum(
        traffic.tokens.values()
    )


def test_landing_that_stands_still_is_told(plant: Plant, traffic: Traffic) -> None:
    traffic.send(500)
    log = usage_log(plant.settings)
    behind = sum(log.landed().behind(log.ends()).values())
    code, _, told = plant.reconcile("--wait", "0")
    assert code == 0
    assert behind >= 500
    assert f"landing is {behind:,} records behind the log; what came since" in told
    with plant.worker("counters"), plant.worker("landing"):
        wait_until_compared(plant)


def test_landing_behind_is_waited_for_and_told(plant: Plant, traffic: Traffic) -> None:
    """Its rows of the counters are there, its usage is not: as if it had been killed in between."""
    with plant.worker("counters"), plant.worker("landing"):
        wait_until_compared(plant)
    with plant.warehouse() as warehouse:
        warehouse.command(
            "INSERT INTO counters SELECT * REPLACE (position + 1204 AS position, "
            "state_offset + 1 AS state_offset) FROM counters FINAL WHERE partition = 1"
        )
    code, rows, told = plant.reconcile("--wait", "0")
    assert code == 3
    assert "partition 1: landing is " in told
    assert "behind the counters" in told
    assert not [row for row in rows if row["difference"] != "0"]


def test_a_counter_that_was_tampered_with_is_told(plant: Plant, traffic: Traffic) -> None:
    with plant.warehouse() as warehouse:
        warehouse.command(
            "INSERT INTO counters SELECT * REPLACE (used + 7 AS used, position - 1204 AS position,"
            " state_offset + 1 AS state_offset) FROM counters FINAL "
            "WHERE partition = 1 AND meter = 'tokens' LIMIT 1"
        )
    code, rows, _ = plant.reconcile("--wait", "0")
    assert code == 1
    assert [row["difference"] for row in rows if row["difference"] != "0"] == ["7"]
