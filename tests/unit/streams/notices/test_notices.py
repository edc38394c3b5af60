"""What is in a receiver's hands: what may be committed, what is tried again, what is given up."""

import asyncio
import json
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from streams.journal.journal_reader import now_ms
from streams.notices.attempts import FIRST_RETRY_S, LONGEST_RETRY_S, Attempts, pause_s
from streams.notices.facts import Delivered, Fact, Failed, Outcome, Refused
from streams.notices.notice_metrics import NoticeMetrics
from streams.notices.progress import Notice, Progress


@given(
    st.lists(st.integers(1, 3), min_size=1, max_size=30).flatmap(
        lambda gaps: st.tuples(st.just(gaps), st.permutations(range(len(gaps))))
    )
)
def test_only_what_is_settled_without_a_gap_is_committed(case: tuple[list[int], list[int]]) -> None:
    gaps, order = case
    offsets = [5 + sum(gaps[:n]) for n in range(len(gaps))]
    progress = Progress(5)
    for offset in offsets:
        progress.open(offset, announced_ms=offset)
    unsettled = set(offsets)
    for index in order:
        assert progress.settled_to == progress.oldest_ms == min(unsettled)
        progress.settle(offsets[index])
        unsettled.discard(offsets[index])
        assert progress.waiting == len(unsettled)
    assert progress.settled_to == offsets[-1] + 1
    assert progress.oldest_ms is None


def test_markers_behind_the_last_fact_are_committed_with_it() -> None:
    progress = Progress(0)
    progress.open(0, announced_ms=1)
    progress.settle(0)
    progress.read_to(2)
    assert progress.settled_to == 2
    progress.read_to(1)
    assert progress.settled_to == 2


@pytest.mark.parametrize(("failed", "longest"), [(0, 1), (1, 2), (5, 32), (6, 60), (1000, 60)])
def test_pauses_double_up_to_a_minute_and_are_never_below_half(failed: int, longest: int) -> None:
    pauses = [pause_s(failed) for _ in range(100)]
    assert longest / 2 <= min(pauses) <= max(pauses) <= longest <= LONGEST_RETRY_S
    assert len(set(pauses)) > 1


class Hands:
    """What agents say became of notices, and what is handed out again."""

    def __init__(self, patience_s: float = 60) -> None:
        self.again: asyncio.Queue[Notice] = asyncio.Queue()
        self.registry = CollectorRegistry()
        metrics = NoticeMetrics(self.registry)
        self.attempts = Attempts("log", self.again.put, metrics, int(patience_s * 1000))

    def notice(self, age_ms: int = 0) -> Notice:
        value = json.dumps({"kind": "usage.alert", "id": "ab12", "tenant": "acme"}).encode()
        fact = Fact.of(value, now_ms() - age_ms)
        progress = Progress(0)
        progress.open(0, fact.announced_ms)
        return Notice(fact, 0, progress)

    def told(self, name: str, **labels: str) -> float | None:
        return self.registry.get_sample_value(
            f"countinghouse_notices_{name}_total", {"receiver": "log", **labels}
        )


def in_hands(act: Callable[[Hands], object], patience_s: float = 60) -> Hands:
    async def run() -> Hands:
        hands = Hands(patience_s)
        result = act(hands)
        if asyncio.iscoroutine(result):
            await result
        hands.attempts.give_back()
        return hands

    return asyncio.run(run())


def test_what_is_delivered_is_settled() -> None:
    def act(hands: Hands) -> None:
        notice = hands.notice()
        hands.attempts.settle(notice, Delivered())
        assert notice.progress.settled_to == 1

    assert in_hands(act).told("delivered", kind="usage.alert") == 1


def test_what_failed_comes_again_and_is_not_settled() -> None:
    async def act(hands: Hands) -> None:
        notice = hands.notice()
        hands.attempts.settle(notice, Failed("HTTP 500"))
        assert await asyncio.wait_for(hands.again.get(), 5) is notice
        assert (notice.failed, notice.progress.settled_to) == (1, 0)

    assert in_hands(act).told("retried") == 1


def test_a_receiver_that_asks_for_no_pause_is_given_one() -> None:
    async def act(hands: Hands) -> None:
        hands.attempts.settle(hands.notice(), Failed("HTTP 503", after_s=0))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(hands.again.get(), FIRST_RETRY_S / 4)

    assert in_hands(act).told("retried") == 1


def test_the_last_attempt_is_made_when_patience_ends() -> None:
    async def act(hands: Hands) -> None:
        hands.attempts.settle(hands.notice(age_ms=59_950), Failed("HTTP 503", after_s=3600))
        await asyncio.wait_for(hands.again.get(), 5)

    assert in_hands(act).told("retried") == 1


@pytest.mark.parametrize(
    ("outcome", "age_ms", "reason"),
    [
        (Refused("HTTP 410"), 0, "refused"),
        (Failed("HTTP 500"), 60_000, "expired"),
        (Failed("HTTP 503", after_s=120), 60_000, "expired"),
    ],
)
def test_what_is_given_up_is_settled_and_counted(
    outcome: Outcome, age_ms: int, reason: str
) -> None:
    def act(hands: Hands) -> None:
        notice = hands.notice(age_ms)
        hands.attempts.settle(notice, outcome)
        assert notice.progress.settled_to == 1

    assert in_hands(act).told("given_up", reason=reason) == 1


def test_a_partition_that_was_let_go_is_its_next_owners() -> None:
    def act(hands: Hands) -> None:
        notice = hands.notice()
        notice.progress.is_held = False
        for outcome in (Delivered(), Refused("HTTP 410"), Failed("HTTP 500")):
            hands.attempts.settle(notice, outcome)
        assert notice.progress.settled_to == 0
        assert not hands.attempts._retries

    in_hands(act)
