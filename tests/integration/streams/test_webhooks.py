"""Webhooks on a real broker: each fact at least once for each receiver, whatever dies."""

import json
from collections import Counter
from pathlib import Path

import pytest
from confluent_kafka import Producer

from tests.integration.streams.counters_bench import Town, wait_for
from tests.integration.streams.notices_bench import NotifyingWorker, Site, a_site, notifying

pytestmark = pytest.mark.integration


@pytest.fixture
def town(kafka_servers: str, tmp_path: Path) -> Town:
    return Town(kafka_servers, tmp_path)


def a_fact(number: int, kind: str = "quota.exceeded") -> bytes:
    """An announcement as counters make it."""
    fact = {
        "kind": kind,
        "id": f"fact{number}",
        "tenant": f"tenant-{number}",
        "meter": "tokens",
        "window": {"kind": "billing_period", "start": "2026-10-01", "end": "2026-11-01"},
        "threshold_percent": 100,
        "limit": "100",
        "at": "100",
        "included": "100",
        "used": "101",
        "entitlement_version": 1,
        "cause": {"source": "gateway", "id": "1", "time": "2026-10-05T12:00:00Z"},
    }
    return json.dumps(fact).encode()


def announce(town: Town, *numbers: int, partition: int = -1) -> None:
    """Put announcements onto the topic of exceeded quotas."""
    for number in numbers:
        town.producer.produce(
            town.topics.exceeded, a_fact(number), f"tenant-{number}", partition=partition
        )
    town.producer.flush()


def ids(*numbers: int) -> list[str]:
    return [f"quota_exceeded_fact{number}" for number in numbers]


def metric(worker: NotifyingWorker, name: str, *labels: str) -> float:
    """The sum of a metric's samples that have all these labels."""
    lines = [
        line
        for line in worker.get("/metrics").splitlines()
        if line.startswith(f"countinghouse_notices_{name}{{") and all(it in line for it in labels)
    ]
    return sum(float(line.rpartition(" ")[2]) for line in lines)


def committed(town: Town, site: Site) -> int:
    """How many facts the site's consumer group has behind it, markers included."""
    from confluent_kafka import Consumer, TopicPartition

    from streams.notices.webhooks import NotifyConfig, receivers
    from tests.integration.streams.notices_bench import SECRET

    [receiver] = receivers(NotifyConfig(urls=(site.url,), secrets=(SECRET,)))
    group = f"{town.config.group_id}-{receiver.group}"
    consumer = Consumer({"bootstrap.servers": town.servers, "group.id": group})
    places = [TopicPartition(town.topics.exceeded, partition) for partition in (0, 1)]
    offsets = [max(place.offset, 0) for place in consumer.committed(places, 10)]
    consumer.close()
    return sum(offsets)


def test_every_crossing_reaches_every_receiver_signed(town: Town) -> None:
    with a_site() as one, a_site() as two, notifying(town, one, two) as worker:
        town.send_usage(8000)
        town.wait_until_counted()
        expected = {
            ("usage.alert" if kind == "alert" else "quota.exceeded", tenant, percent)
            for kind, tenant, percent in town.told()
        }
        assert len(expected) > 100
        for site in (one, two):
            wait_for(lambda s=site: len(s.posts) >= len(expected), "all webhooks")  # type: ignore[misc]
            told = [(p.type, p.data["tenant"], p.data["threshold_percent"]) for p in site.posts]
            assert Counter(told) == Counter(expected)
            assert len(set(site.ids())) == len(expected)
        wait_for(lambda: metric(worker, "waiting") == 0, "nothing to wait")
        assert metric(worker, "delivered_total", one.url) == len(expected)


def test_an_announcement_that_was_aborted_causes_no_webhook(town: Town) -> None:
    producer = Producer(
        {"bootstrap.servers": town.servers, "transactional.id": town.name, "log_level": 0}
    )
    producer.init_transactions()
    with a_site() as site, notifying(town, site):
        for number, is_kept in [(1, False), (2, True), (3, False), (4, True)]:
            producer.begin_transaction()
            producer.produce(town.topics.exceeded, a_fact(number), partition=0)
            producer.flush()
            if is_kept:
                producer.commit_transaction()
            else:
                producer.abort_transaction()
        wait_for(lambda: len(site.posts) >= 2, "the committed ones")
        assert site.ids() == ids(2, 4)
        wait_for(lambda: committed(town, site) == 8, "markers to be committed as well")
        assert site.ids() == ids(2, 4)


def test_a_worker_that_is_killed_between_delivery_and_commit_delivers_again(town: Town) -> None:
    with a_site() as site:
        with notifying(town, site) as worker:
            site.answered = worker.kill
            announce(town, 1)
            wait_for(lambda: worker.process.poll() is not None, "the worker to be dead")
        site.answered = lambda: None
        assert committed(town, site) == 0
        with notifying(town, site):
            wait_for(lambda: len(site.posts) == 2, "the second delivery")
            assert site.ids() == ids(1, 1)
            wait_for(lambda: committed(town, site) == 1, "the commit")


def test_what_was_delivered_and_committed_is_not_delivered_again(town: Town) -> None:
    with a_site() as site:
        with notifying(town, site) as worker:
            announce(town, 1, 2, 3)
            wait_for(lambda: len(site.posts) == 3, "three webhooks")
            assert worker.terminate() < 5
        with notifying(town, site):
            announce(town, 4)
            wait_for(lambda: len(site.posts) == 4, "the fourth")
    assert sorted(site.ids()) == ids(1, 2, 3, 4)


def test_a_receiver_that_fails_at_first_gets_each_fact_with_its_id(town: Town) -> None:
    with (
        a_site(lambda _id, times: 500 if times <= 2 else 200) as site,
        notifying(town, site) as worker,
    ):
        announce(town, 1, 2)
        wait_for(lambda: len(site.ids()) == 2, "both to be taken")
        assert sorted(site.ids()) == ids(1, 2)
        assert Counter(post.id for post in site.posts) == dict.fromkeys(ids(1, 2), 3)
        assert metric(worker, "retried_total", site.url) == 4
        wait_for(lambda: committed(town, site) == 2, "the commit")


@pytest.mark.parametrize("status", [410, 400])
def test_what_is_refused_for_good_is_passed_over_and_counted(town: Town, status: int) -> None:
    refused = ids(1)[0]
    with (
        a_site(lambda message_id, _: status if message_id == refused else 200) as site,
        notifying(town, site) as worker,
    ):
        announce(town, 1, 2, partition=0)
        wait_for(lambda: committed(town, site) == 2, "both to be settled")
        assert site.ids() == ids(2)
        assert metric(worker, "given_up_total", 'reason="refused"') == 1
        assert "given up: " + site.url in worker.log.read_text()


def test_a_fact_that_is_never_taken_is_given_up_when_patience_ends(town: Town) -> None:
    with a_site(lambda *_: 500) as site, notifying(town, site, patience_s=2) as worker:
        announce(town, 1)
        wait_for(lambda: committed(town, site) == 1, "the fact to be settled")
        assert metric(worker, "given_up_total", 'reason="expired"') == 1
        assert len(site.posts) > 1


def test_a_receiver_that_never_answers_delays_neither_another_nor_the_counting(town: Town) -> None:
    with (
        a_site(lambda *_: 0) as dead,
        a_site() as alive,
        notifying(town, dead, alive, timeout_s=2) as worker,
    ):
        town.send_usage(8000)
        town.wait_until_counted()
        told = len(town.told())
        wait_for(lambda: len(alive.ids()) == told, "the living one to have all")
        assert worker.get("/readyz") == "ready\n"
        wait_for(lambda: metric(worker, "retried_total", dead.url) > 0, "a timeout")
        assert metric(worker, "waiting", dead.url) > 0
        assert metric(worker, "delivered_total", dead.url) == 0
        assert committed(town, dead) == 0
        assert worker.terminate() < 5
    assert town.rows() == town.truth.rows()


def test_one_tenants_fact_that_fails_for_ever_stops_no_other(town: Town) -> None:
    poison = ids(0)[0]
    with (
        a_site(lambda message_id, _: 500 if message_id == poison else 200) as site,
        notifying(town, site),
    ):
        announce(town, *range(200), partition=0)
        wait_for(lambda: len(site.ids()) == 199, "all others")
        assert committed(town, site) == 0
