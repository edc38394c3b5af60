"""What becomes of a journal's transactions when brokers answer this or that."""

import asyncio
from collections import defaultdict
from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import errors
from aiokafka.protocol.produce import ProduceRequest
from aiokafka.protocol.transaction import (
    AddPartitionsToTxnRequest,
    EndTxnRequest,
    InitProducerIdRequest,
)
from aiokafka.record.default_records import DefaultRecordBatch

from stores.kafka import KafkaAccess
from streams.journal import transactions
from streams.journal.transactions import BATCH_BYTES, Transactions

KAFKA = KafkaAccess(servers="127.0.0.1:1")
FINE = 0
KINDS = {
    InitProducerIdRequest: "init",
    AddPartitionsToTxnRequest: "enlist",
    ProduceRequest: "produce",
    EndTxnRequest: "end",
}


class Brokers:
    """Brokers that answer as they are told, by kind of request; what they were asked is kept.

    An answer is an error code, or an error that is raised in place of one. `leaders` names who
    leads a topic; a log is as long as what was stored in it without an error.
    """

    def __init__(self) -> None:
        self.asked = list[str]()
        self.answers = defaultdict[str, list[int | BaseException]](list)
        self.leaders = defaultdict[str, int](lambda: 1)
        self.lookups = self.looks = 0
        self.batches = list[tuple[str, DefaultRecordBatch]]()
        self.keys = defaultdict[str, list[bytes | None]](list)
        self.ends = list[bool]()
        self.is_closed = False
        self._log_ends = defaultdict[str, int](int)
        self.cluster = SimpleNamespace(leader_for_partition=lambda tp: self.leaders[tp.topic])

    async def bootstrap(self) -> None:
        """They are there."""

    async def set_topics(self, topics: Iterable[str]) -> bool:
        """They know the topics."""
        return True

    async def force_metadata_update(self) -> bool:
        """They say who leads."""
        self.looks += 1
        return True

    async def coordinator_lookup(self, kind: int, key: str) -> int:
        """It is the first."""
        self.lookups += 1
        return 1

    async def send(self, node: int, request: Any, *, group: int = 0) -> Any:
        """Answer a request."""
        kind = KINDS[type(request)]
        self.asked.append(kind)
        answer = self.answers[kind].pop(0) if self.answers[kind] else FINE
        if isinstance(answer, BaseException):
            raise answer
        return getattr(self, f"_{kind}")(request, answer)

    def _init(self, request: Any, code: int) -> Any:
        return SimpleNamespace(error_code=code, producer_id=7, producer_epoch=3)

    def _enlist(self, request: Any, code: int) -> Any:
        not_tried = errors.OperationNotAttempted.errno if code else FINE
        found = [(topic, [(0, not_tried)]) for topic, _ in request._topics]
        return SimpleNamespace(errors=[*found[:-1], (found[-1][0], [(0, code)])])

    def _produce(self, request: Any, code: int) -> Any:
        return SimpleNamespace(
            topics=[(t, [self._store(t, own, code)]) for t, own in request._topics]
        )

    def _store(self, topic: str, own: list[tuple[int, bytes]], code: int) -> tuple[int, int, int]:
        [(partition, records)] = own
        first = self._log_ends[topic]
        if not code:
            batch = DefaultRecordBatch(records)
            self.batches.append((topic, batch))
            keys = [record.key for record in batch]
            self.keys[topic] += keys
            self._log_ends[topic] += len(keys)
        return partition, code, first

    def _end(self, request: Any, code: int) -> Any:
        self.ends.append(request._transaction_result)
        return SimpleNamespace(error_code=code)

    async def close(self) -> None:
        """They hang up."""
        self.is_closed = True


@pytest.fixture
def brokers(monkeypatch: pytest.MonkeyPatch) -> Brokers:
    told = Brokers()
    monkeypatch.setattr(transactions, "AIOKafkaClient", lambda **options: told)
    return told


def written(
    brokers: Brokers, *writes: dict[str, list[tuple[bytes, bytes]]], close: bool = False
) -> list[dict[str, int]]:
    """The last offsets of some transactions, one after another."""

    async def write() -> list[dict[str, int]]:
        own = Transactions(KAFKA, "lease", 0)
        await own.fence(["alerts", "state"])
        try:
            return [await own.write(records) for records in writes]
        finally:
            if close:
                await own.close()

    return asyncio.run(write())


ROWS = {"alerts": [(b"a", b"1")], "state": [(b"k", b"1"), (b"k", b"2")]}


def test_a_transaction_is_three_answers(brokers: Brokers) -> None:
    assert written(brokers, ROWS, ROWS) == [{"alerts": 0, "state": 1}, {"alerts": 1, "state": 3}]
    assert brokers.asked == ["init", *2 * ["enlist", "produce", "end"]]
    assert brokers.ends == [True, True]
    assert brokers.lookups == 1


def test_records_say_whose_they_are_and_which_ones(brokers: Brokers) -> None:
    written(brokers, ROWS, ROWS)
    for topic, sequences in {"alerts": [0, 1], "state": [0, 2]}.items():
        own = [batch for name, batch in brokers.batches if name == topic]
        assert [batch.base_sequence for batch in own] == sequences
        assert {(each.producer_id, each.producer_epoch) for each in own} == {(7, 3)}
        assert all(batch.is_transactional for batch in own)


def test_what_does_not_fit_a_batch_follows_in_another(brokers: Brokers) -> None:
    rows = [(b"%d" % n, bytes(BATCH_BYTES // 3)) for n in range(7)]
    assert written(brokers, {"alerts": [(b"a", b"1")], "state": rows}) == [
        {"alerts": 0, "state": 6}
    ]
    own = [batch for topic, batch in brokers.batches if topic == "state"]
    assert [batch.base_sequence for batch in own] == [0, 2, 4, 6]
    assert brokers.keys["state"] == [key for key, _ in rows]


def test_topics_of_two_leaders_are_stored_by_both(brokers: Brokers) -> None:
    brokers.leaders["alerts"] = 2
    assert written(brokers, ROWS) == [{"alerts": 0, "state": 1}]
    assert brokers.asked.count("produce") == 2


@pytest.mark.parametrize("kind", ["init", "enlist", "produce", "end"])
@pytest.mark.parametrize(
    "answer",
    [
        errors.ConcurrentTransactions.errno,
        errors.NotCoordinatorError.errno,
        errors.NotLeaderForPartitionError.errno,
        errors.NotEnoughReplicasError.errno,
        errors.KafkaConnectionError("closed"),
        errors.NodeNotReadyError("away"),
        asyncio.CancelledError(),  # from aiokafka, of a connection that broke
    ],
    ids=str,
)
def test_what_passes_by_itself_is_asked_again(
    brokers: Brokers, kind: str, answer: int | BaseException
) -> None:
    brokers.answers[kind] = [answer, answer]
    assert written(brokers, ROWS) == [{"alerts": 0, "state": 1}]
    assert brokers.asked.count(kind) == 3
    assert brokers.ends[-1]


def test_only_what_its_leader_did_not_store_is_sent_again(brokers: Brokers) -> None:
    brokers.leaders["alerts"] = 2
    brokers.answers["produce"] = [FINE, errors.NotLeaderForPartitionError.errno]
    written(brokers, ROWS)
    assert sorted(topic for topic, _ in brokers.batches) == ["alerts", "state"]
    assert brokers.looks == 1


def test_a_partition_without_a_leader_is_waited_for(brokers: Brokers) -> None:
    leaders = iter([-1, 1, 1])
    brokers.cluster.leader_for_partition = lambda tp: next(leaders)
    assert written(brokers, ROWS) == [{"alerts": 0, "state": 1}]
    assert brokers.looks == 1


@pytest.mark.parametrize("kind", ["enlist", "produce", "end"])
def test_an_earlier_owner_is_told_so_and_commits_nothing(brokers: Brokers, kind: str) -> None:
    brokers.answers[kind] = [errors.InvalidProducerEpoch.errno]
    with pytest.raises(errors.InvalidProducerEpoch):
        written(brokers, ROWS)
    assert brokers.ends == ([True] if kind == "end" else [])


def test_a_transaction_that_failed_is_aborted_at_the_end(brokers: Brokers) -> None:
    brokers.answers["produce"] = [errors.UnknownError.errno]
    with pytest.raises(errors.UnknownError):
        written(brokers, ROWS, close=True)
    assert brokers.ends == [False]
    assert brokers.is_closed


def test_a_transaction_that_was_committed_is_not_aborted(brokers: Brokers) -> None:
    written(brokers, ROWS, close=True)
    assert brokers.ends == [True]
    assert brokers.is_closed


def test_whoever_is_told_to_end_does_not_ask_on(brokers: Brokers) -> None:
    async def told() -> None:
        brokers.answers["enlist"] = [errors.ConcurrentTransactions.errno] * 10_000
        own = Transactions(KAFKA, "lease", 0)
        await own.fence(["state"])
        await asyncio.wait_for(own.write({"state": [(b"k", b"1")]}), 0.05)

    with pytest.raises(TimeoutError):
        asyncio.run(told())
