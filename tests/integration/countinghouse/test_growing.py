"""Growing to more partitions on real parts: nothing lost, nothing counted or announced twice."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import nullcontext

import pytest
from confluent_kafka import Producer

from countinghouse import growing
from countinghouse.client import PRODUCER_CONFIG
from countinghouse.waiting import wait_until
from countinghouse.wiring import usage_log
from schemas.errors import BillingError
from schemas.partitions import partition_of
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

MORE = 5
NEW_TOPIC = "usage.events.v2"
OF_TRANSACTIONS = {"transactional.id": "exactly-once", "transaction.timeout.ms": 600_000}


@pytest.fixture(scope="module")
def plant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plant]:
    with running_plant(tmp_path_factory.mktemp("growing")) as running:
        yield running


@pytest.fixture(scope="module")
def traffic(plant: Plant) -> Traffic:
    return Traffic(plant)


def test_more_partitions_are_more_than_there_are(plant: Plant) -> None:
    done = plant.command("topics", "grow", "--partitions", "3")
    assert done.returncode == 2
    assert "usage.events has 3 partitions already" in done.stderr
    done = plant.command("topics", "switch")
    assert done.returncode == 4
    assert "there is no usage.events.v2 to switch to" in done.stderr


def test_the_old_topic_stays_open_while_a_transaction_is(
    plant: Plant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(growing, "TRANSACTION_SECONDS", 1)
    assert plant.command("topics", "grow", "--partitions", str(MORE)).returncode == 0
    servers = {"bootstrap.servers": plant.settings.kafka_servers}
    producer = Producer({**PRODUCER_CONFIG, **servers, **OF_TRANSACTIONS})
    producer.init_transactions()
    producer.begin_transaction()
    producer.produce("usage.events", b"no event", "a")
    producer.flush()
    with pytest.raises(BillingError, match="stop those that write to it in transactions"):
        growing.switch(plant.settings, nullcontext, print)
    producer.commit_transaction(20)
    log = usage_log(plant.settings)
    wait_until(lambda: log.ends() == log.ends(committed=False), "the transaction's end")


def test_counts_before_and_after_a_switch_add_up(plant: Plant, traffic: Traffic) -> None:
    with plant.worker("landing"):
        with plant.worker("counters"):
            traffic.send(1200)
            wait_until_counted(plant)
            before = announced(plant)
            assert before, "some tenants are at their limit"
            assert plant.command("topics", "grow", "--partitions", str(MORE)).returncode == 0
            traffic.go_on_with(NEW_TOPIC)
            traffic.send(300)
            done = plant.command("topics", "switch")
            assert done.returncode == 4
            assert "1 workers of counters still run and usage.events is drained" in done.stderr
        for seconds in (1.5, 3.0, 4.5):
            killed = subprocess.Popen(
                [sys.executable, "-m", "countinghouse", "topics", "switch"],
                cwd=ROOT,
                env=plant.environment,
                stderr=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
            )
            time.sleep(seconds)
            killed.send_signal(signal.SIGKILL)
            killed.wait()
        if "v2" not in plant.command("topics", "show", "--json").stdout:
            done = plant.command("topics", "switch")
            assert done.returncode == 0, done.stderr
    assert used(plant, "tokens", 2) == used(plant, "tokens", 1)
    assert set(announced(plant, 2).values()) == {1}
    with plant.worker("landing"), plant.worker("counters"):
        traffic.send(1200)
        wait_until_counted(plant)
        code, _, told = plant.reconcile()
        assert code == 0, told
    assert used(plant, "tokens", 2) == dict(traffic.tokens)
    assert used(plant, "requests", 2) == dict(traffic.requests)


def test_no_fact_is_announced_twice_across_the_switch(plant: Plant, traffic: Traffic) -> None:
    facts = announced(plant, 2)
    assert set(facts.values()) == {1}
    breached = {tenant for tenant, tokens in traffic.tokens.items() if tokens >= 1000}
    assert len([fact for fact in facts if fact[0] == "exceeded"]) == len(breached)


def test_tenants_are_where_kafka_puts_them(plant: Plant) -> None:
    for place, state in rows(plant, 2).values():
        assert place == partition_of(state.tenant.encode(), MORE)


def test_the_cut_holds_both_topics_and_the_old_one_takes_nothing_more(
    plant: Plant, traffic: Traffic
) -> None:
    landed = usage_log(plant.settings).landed()
    assert {epoch for epoch, _ in landed} == {1, 2}
    assert {partition for epoch, partition in landed if epoch == 2} == set(range(MORE))
    forgotten = Traffic(plant, pause_seconds=0)
    refused: list[str] = []
    forgotten._producer.produce(
        "usage.events", b"x" * 200, "a", on_delivery=lambda e, _: refused.append(str(e))
    )
    forgotten._producer.flush(20)
    assert "MSG_SIZE_TOO_LARGE" in refused[0]


def test_a_rebuild_after_the_switch_changes_nothing(plant: Plant, traffic: Traffic) -> None:
    with plant.worker("landing"), plant.worker("counters"), traffic.flowing():
        done = plant.command("counters", "rebuild")
        assert done.returncode == 0, done.stderr
        code, _, told = plant.reconcile()
        assert code == 0, told
    with plant.worker("landing"), plant.worker("counters"):
        wait_until_counted(plant)
    assert used(plant, "tokens", 2) == dict(traffic.tokens)
    assert set(announced(plant, 2).values()) == {1}
