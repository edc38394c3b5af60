"""Replays a file of requests onto `usage.events`, and can go on where an earlier replay stopped.

Owns the sending: what is read is in `replay_file`, what is sent twice or spoiled in `replay_plan`.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from clickhouse_connect.driver.client import Client
from confluent_kafka import KafkaError, KafkaException, Message, Producer
from numpy.typing import NDArray

from countinghouse.client import PRODUCER_CONFIG
from countinghouse.replay_file import ReplaySource
from countinghouse.replay_plan import Extras, ReplayPlan, malformed_event, plan_replay
from schemas.errors import Conflict, DependencyUnreachable
from schemas.topics import SENT_AT_HEADER, USAGE_EVENTS
from stores.kafka import KafkaAccess
from stores.kafka_trouble import unreachable
from stores.warehouse.client import ask

LOOK_SECONDS = 0.05
ROWS_BETWEEN_LOOKS = 256
SLOW_ABOVE_SECONDS = 0.2
GO_ON_BELOW_SECONDS = 0.1
PAUSE_SECONDS = 0.02
# What waits in our own queue is late already: keep a tenth of a second under way.
RECORDS_UNDER_WAY = 4_000
FLUSH_SECONDS = 30.0

Lag = Callable[[], float]
"""How far the counters are behind, in seconds."""

Progress = Callable[[int, int], None]
"""Told of the rows done and the rows there are."""


@dataclass(frozen=True, slots=True)
class ReplayTarget:
    """Where to replay to, and the counters' window that repeats are placed by."""

    kafka: KafkaAccess
    partitions: int
    dedupe_window: int
    topic: str = USAGE_EVENTS


@dataclass(frozen=True, slots=True)
class AlreadySent:
    """What an earlier replay of the same file sent: by row, and the malformed elements' count."""

    landed: NDArray[np.bool_]
    repeated: NDArray[np.bool_]
    malformed: int

    @classmethod
    def nothing(cls, rows: int) -> "AlreadySent":
        """For a file that was never replayed."""
        return cls(np.zeros(rows, np.bool_), np.zeros(rows, np.bool_), 0)


@dataclass(slots=True)
class ReplayResult:
    """What was sent, in records, and how long it took; `slowed` are the pauses for the counters.

    `skipped` rows were there already.
    """

    sent: int = 0
    skipped: int = 0
    resent: int = 0
    beyond: int = 0
    malformed: int = 0
    seconds: float = 0
    slowed: int = 0
    slowed_seconds: float = 0

    @property
    def produced(self) -> int:
        """Records on the topic."""
        return self.sent + self.resent + self.beyond + self.malformed


class _Sent(NamedTuple):
    """A row of a file as it was sent."""

    row: int
    deliveries: int
    tenant: str
    instant: str


def find_sent(client: Client, source: ReplaySource) -> AlreadySent:
    """What of a file is in the warehouse. True only once landing has read all of the log.

    Raises:
        DependencyUnreachable: the warehouse does not answer.
        Conflict: another file of its name was replayed.
    """
    sent = AlreadySent.nothing(len(source))
    rows = map(_Sent._make, ask(client, "replayed", {"source": source.source}))
    known = sorted(each for each in rows if 1 <= each.row <= len(source))
    _check_same_file(source, known)
    for each in known:
        sent.landed[each.row - 1] = True
        sent.repeated[each.row - 1] = each.deliveries > 1
    [[malformed]] = ask(client, "replayed_malformed", {"mark": f'"source":"{source.source}"'})
    return AlreadySent(sent.landed, sent.repeated, malformed)


def _check_same_file(source: ReplaySource, known: Sequence[_Sent]) -> None:
    """A file that has grown goes on with its new rows; another one may only be called the same."""
    for each in (*known[:1], *known[-1:]):
        if not source.has(each.row - 1, each.tenant, each.instant):
            raise Conflict(
                f"another file was replayed as {source.source}: its row {each.row} was of tenant "
                f"{each.tenant!r} at {each.instant}; give this file a name of its own"
            )


def replay(
    source: ReplaySource,
    target: ReplayTarget,
    *,
    extras: Extras | None = None,
    throttle: Lag | None = None,
    already: AlreadySent | None = None,
    progress: Progress | None = None,
    look_seconds: float = LOOK_SECONDS,
    pace: int | None = None,
) -> ReplayResult:
    """Send every row that was not sent yet, with its extras; pauses while the counters lag.

    `pace` is the most rows a second; None is as fast as Kafka and the counters take them.

    Raises:
        DependencyUnreachable: Kafka did not take everything.
    """
    extras = extras or Extras()
    plan = plan_replay(source.tenants, target.partitions, target.dedupe_window, extras)
    already = already or AlreadySent.nothing(len(source))
    watch = _Watch(throttle or _never, progress or _silent, look_seconds, len(source), pace)
    sender = _Sender(target, watch)
    result = sender.result
    _send_rows(source, plan, already, sender)
    missing = _beyond_missing(plan, already, extras)
    for row in missing:
        sender.send(*source.event(row))
    result.beyond = len(missing)
    sender.finish()
    return result


def _send_rows(
    source: ReplaySource, plan: ReplayPlan, already: AlreadySent, sender: "_Sender"
) -> None:
    """The file's rows in order, each followed by the extras that are due after it."""
    result, landed, repeated = sender.result, already.landed.tolist(), already.repeated.tolist()
    for row, (key, value) in enumerate(source.events()):
        if landed[row]:
            result.skipped += 1
        else:
            sender.send(key, value)
            result.sent += 1
        for again in plan.resends.get(row, ()):
            if not repeated[again]:
                sender.send(*source.event(again))
                result.resent += 1
        number = plan.malformed.get(row)
        if number is not None and number >= already.malformed:
            sender.send(*malformed_event(number, source.source, key))
            result.malformed += 1
        sender.row_done()


def _beyond_missing(plan: ReplayPlan, already: AlreadySent, extras: Extras) -> list[int]:
    """Rows to repeat beyond the window: as many as are wanted and were not repeated yet."""
    repeated = set(np.flatnonzero(already.repeated).tolist()) - plan.resent
    wanted = max(extras.resend_beyond - len(repeated), 0)
    return [row for row in plan.beyond if row not in repeated][:wanted]


@dataclass(frozen=True, slots=True)
class _Watch:
    """Whom to ask and whom to tell, at most every `look_seconds`."""

    lag: Lag
    progress: Progress
    look_seconds: float
    rows: int
    pace: int | None


class _Sender:
    """A producer that waits when its queue is full or the counters lag."""

    def __init__(self, target: ReplayTarget, watch: _Watch) -> None:
        config = {"linger.ms": 5, "queue.buffering.max.messages": RECORDS_UNDER_WAY}
        self._producer = Producer({**PRODUCER_CONFIG, **config, **target.kafka.confluent()})
        self._kafka = target.kafka
        self._topic = target.topic
        self._watch = watch
        self._done = 0
        self._failure: KafkaError | None = None
        self._started = self._looked = time.monotonic()
        self.result = ReplayResult()

    def send(self, key: bytes, value: bytes) -> None:
        """Send one record, stamped with the time of now."""
        now_ms = time.time_ns() // 1_000_000
        headers: list[tuple[str, str | bytes | None]] = [(SENT_AT_HEADER, b"%d" % now_ms)]
        while True:
            try:
                self._producer.produce(
                    self._topic, value, key, headers=headers, on_delivery=self._delivered
                )
            except BufferError:
                self._producer.poll(0.05)
                self._check()
            except KafkaException as failure:
                raise self._unreachable(failure.args[0]) from failure
            else:
                return

    def row_done(self) -> None:
        """A row of the file is dealt with."""
        self._done += 1
        due = self._looked + self._watch.look_seconds
        if not self._done % ROWS_BETWEEN_LOOKS and time.monotonic() >= due:
            self._look()

    def finish(self) -> None:
        """Wait until Kafka has everything."""
        if self._producer.flush(FLUSH_SECONDS):
            self._failure = self._failure or KafkaError(KafkaError._MSG_TIMED_OUT)
        self._check()
        self._watch.progress(self._done, self._watch.rows)
        self.result.seconds = time.monotonic() - self._started

    def _look(self) -> None:
        self._producer.poll(0)
        self._check()
        self._watch.progress(self._done, self._watch.rows)
        if self._watch.lag() > SLOW_ABOVE_SECONDS:
            self._wait()
        self._keep_pace()
        self._looked = time.monotonic()

    def _keep_pace(self) -> None:
        if self._watch.pace is not None:
            due = self._started + self.result.sent / self._watch.pace
            time.sleep(max(0, due - time.monotonic()))

    def _wait(self) -> None:
        """Pause until the counters have caught up."""
        began = time.monotonic()
        self.result.slowed += 1
        while self._watch.lag() > GO_ON_BELOW_SECONDS:
            self._producer.poll(0)
            time.sleep(PAUSE_SECONDS)
            self._check()
        self.result.slowed_seconds += time.monotonic() - began

    def _delivered(self, error: KafkaError | None, message: Message) -> None:
        self._failure = self._failure or error

    def _check(self) -> None:
        if self._failure is not None:
            raise self._unreachable(self._failure)

    def _unreachable(self, failure: KafkaError) -> DependencyUnreachable:
        then = "; then replay again, it goes on where it stopped"
        return unreachable(self._kafka, failure, "did not take the events", then)


def _never() -> float:
    return 0


def _silent(done: int, rows: int) -> None:
    """Nobody is told."""
