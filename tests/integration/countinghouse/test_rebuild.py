"""`countinghouse counters rebuild` on real parts: from usage, while traffic flows, told once."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import msgspec
import pytest
from aiokafka.errors import UnknownError
from confluent_kafka import Producer

from countinghouse.rebuild import rebuild
from schemas.errors import DependencyUnreachable
from schemas.topics import QUOTA_STATE
from streams.journal.transactions import Transactions
from tests.embedded import ROOT
from tests.plants import (
    Plant,
    Traffic,
    announced,
    rows,
    running_plant,
    used,
    wait_until_counted,
)

pytestmark = [pytest.mark.integration, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def plant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plant]:
    with running_plant(tmp_path_factory.mktemp("rebuild")) as running:
        yield running


@pytest.fixture(scope="module")
def traffic(plant: Plant) -> Traffic:
    return Traffic(plant)


def corrupt(plant: Plant) -> list[str]:
    """Write wrong rows of some counters, and one of a tenant that was never there."""
    producer = Producer({"bootstrap.servers": plant.settings.kafka_servers})
    chosen = [item for item in rows(plant).items() if item[1][1].meter == "tokens"][:3]
    for key, (place, state) in chosen:
        wrong = msgspec.structs.replace(state, used=str(int(state.used) + 17))
        producer.produce(QUOTA_STATE, msgspec.json.encode(wrong), key, place)
    key, (place, state) = chosen[0]
    ghost = msgspec.structs.replace(state, tenant="ghost")
    ghost_key = key.replace(state.tenant.encode(), b"ghost")
    producer.produce(QUOTA_STATE, msgspec.json.encode(ghost), ghost_key, place)
    assert producer.flush(10) == 0
    return [state.tenant for _, (_, state) in chosen]


def test_counters_are_made_anew_while_traffic_flows(plant: Plant, traffic: Traffic) -> None:
    with plant.worker("landing"):
        with plant.worker("counters"):
            traffic.send(2500)
            late_tenant, late_tokens = traffic.send_again(1500)
            wait_until_counted(plant)
        assert used(plant, "tokens")[late_tenant] == traffic.tokens[late_tenant] + late_tokens
        wrong = corrupt(plant)
        with plant.worker("counters"):
            traffic.send(500)
            wait_until_counted(plant)
            code, found, _ = plant.reconcile()
            assert code == 1
            assert {r["tenant"] for r in found if r["difference"] != "0"} == {*wrong, "ghost"}
            with traffic.flowing():
                time.sleep(0.5)
                done = plant.command("counters", "rebuild", "--json")
                assert done.returncode == 0, done.stderr
            assert sum(one["changed"] for one in json.loads(done.stdout)) >= 4
            wait_until_counted(plant)
            code, found, told = plant.reconcile()
            assert (code, [r for r in found if r["difference"] != "0"]) == (0, []), told
            assert used(plant, "tokens") == {**traffic.tokens, "ghost": 0}
            assert used(plant, "requests") == dict(traffic.requests)
            assert set(announced(plant).values()) == {1}


def test_a_repeat_after_a_rebuild_is_explained_and_one_before_it_is_gone(
    plant: Plant, traffic: Traffic
) -> None:
    with plant.worker("landing"), plant.worker("counters"):
        tenant, tokens = traffic.send_again(1500)
        wait_until_counted(plant)
        code, found, _ = plant.reconcile()
        late = {r["tenant"]: r["late_repeats"] for r in found if r["meter"] == "tokens"}
        assert code == 0
        assert {t: n for t, n in late.items() if n != "0"} == {tenant: str(tokens)}


def test_only_the_named_counters_are_made_anew(plant: Plant, traffic: Traffic) -> None:
    [late] = [
        t for t, n in used(plant, "tokens").items() if t != "ghost" and n != traffic.tokens[t]
    ]
    with plant.worker("landing"), plant.worker("counters"):
        done = plant.command("counters", "rebuild", "--meter", "tokens", "--tenant", late)
        assert done.returncode == 0, done.stderr
        wait_until_counted(plant)
        code, _, told = plant.reconcile()
        assert code == 0, told
    assert used(plant, "tokens") == {**traffic.tokens, "ghost": 0}
    assert used(plant, "requests")[late] == traffic.requests[late] + 1


def test_a_rebuild_that_is_killed_changes_nothing_or_all(plant: Plant, traffic: Traffic) -> None:
    with plant.worker("landing"), plant.worker("counters"), traffic.flowing():
        for seconds in (0.8, 1.6, 2.4, 3.2):
            process = subprocess.Popen(
                [sys.executable, "-m", "countinghouse", "counters", "rebuild"],
                cwd=ROOT,
                env=plant.environment,
                stderr=subprocess.DEVNULL,
            )
            time.sleep(seconds)
            process.send_signal(signal.SIGKILL)
            process.wait()
        assert plant.command("counters", "rebuild").returncode == 0
    with plant.worker("landing"), plant.worker("counters"):
        wait_until_counted(plant)
        code, found, told = plant.reconcile()
        assert (code, [r for r in found if r["difference"] != "0"]) == (0, []), told
    assert used(plant, "tokens") == {**traffic.tokens, "ghost": 0}
    assert set(announced(plant).values()) == {1}


@pytest.mark.parametrize("has_committed", [True, False])
def test_a_commit_of_unknown_outcome_is_made_again(
    plant: Plant, traffic: Traffic, monkeypatch: pytest.MonkeyPatch, has_committed: bool
) -> None:
    """A broker whose coordinator changes under it may answer the end of a transaction so."""
    end = Transactions._end
    failed: list[Transactions] = []

    async def end_and_fail_once(own: Transactions, *, commit: bool) -> None:
        is_first = commit and not failed
        if not is_first or has_committed:
            await end(own, commit=commit)
        if is_first:
            failed.append(own)
            raise UnknownError

    before = used(plant, "tokens")
    corrupt(plant)
    monkeypatch.setattr(Transactions, "_end", end_and_fail_once)
    done = list(rebuild(plant.settings))
    assert failed
    assert len(done) == plant.settings.partitions
    assert used(plant, "tokens") == before
    assert set(announced(plant).values()) == {1}


def test_a_broker_that_refuses_each_time_is_told(
    plant: Plant, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(own: Transactions, *, commit: bool) -> None:
        raise UnknownError

    monkeypatch.setattr(Transactions, "_end", refuse)
    with pytest.raises(DependencyUnreachable, match=r"partition 0 .*rebuild again"):
        list(rebuild(plant.settings))


def test_an_unknown_tenant_is_told_with_those_that_come_nearest(
    plant: Plant, traffic: Traffic
) -> None:
    with plant.worker("landing"), plant.worker("counters"):
        traffic.send(50)
        wait_until_counted(plant)
    done = plant.command("counters", "rebuild", "--tenant", "tenant_1")
    assert done.returncode == 4
    assert "tenant 'tenant_1' has neither a subscription nor usage" in done.stderr
    assert "did you mean tenant-1" in done.stderr
    assert plant.command("counters", "rebuild", "--tenant", "tenant-1").returncode == 0


def test_an_unknown_meter_is_told(plant: Plant) -> None:
    done = plant.command("counters", "rebuild", "--meter", "token")
    assert done.returncode == 2
    assert "there are tokens, requests" in done.stderr
