"""The producer of a chaos run: several tenants, arrays, repeats, conflicts, malformed elements.

Owns what is sent and when. Every message is told to the truth before it is handed to Kafka, in the
order of its partition; what Kafka did not acknowledge is a failure of the run.
"""

import heapq
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from random import Random

from aiokafka.partitioner import murmur2
from confluent_kafka import KafkaError, Message, Producer

from countinghouse.chaos import prices
from countinghouse.chaos.elements import Elements, Text, beyond_limits, broken_records
from countinghouse.chaos.messages import Element, Malformed, Sent
from countinghouse.chaos.truth import Truth
from countinghouse.client import PRODUCER_CONFIG
from schemas.topics import SENT_AT_HEADER, USAGE_EVENTS
from stores.kafka import KafkaAccess

NUMBER_HEADER = "chaos-number"
DEDUPE_WINDOW = 400
"""The setting of a run, in offsets: small, so that the windows turn over every few seconds."""

LONGEST_DELAY = 320
"""Offsets between two deliveries of one event: within the window, however far a chain goes."""

MAX_AGE_MS = 35 * 86_400_000
MAX_LEAD_MS = 3_600_000
FLUSH_SECONDS = 120
BY_KEY = -1
"""The partition of a record that librdkafka places by its key."""


@dataclass(frozen=True, slots=True, order=True)
class _Repeat:
    """An event to be sent again: when (in its partition's offsets), and how often after that."""

    due: int
    number: int
    tenant: str
    text: Text
    again: int


class Traffic:
    """Sends at a steady rate from a thread of its own, until `stop`."""

    def __init__(
        self,
        kafka: KafkaAccess,
        tenants: Sequence[str],
        partitions: int,
        rate: int,
        seed: int,
        truth: Truth,
    ) -> None:
        self._random = Random(seed)  # noqa: S311  reproducible on purpose
        self._elements = Elements(self._random)
        self._tenants = tenants
        self._weights = list(accumulate(1 / (n + 1) ** 0.7 for n in range(len(tenants))))
        self._rate = rate
        self._truth = truth
        self._sent_in = [0] * partitions
        self._repeats: list[list[_Repeat]] = [[] for _ in range(partitions)]
        self._jump_ms, self._jump_until = 0, 0.0
        self._numbers = 0
        self.acknowledged = 0
        self.failures: list[str] = []
        self._producer = Producer(
            {
                **PRODUCER_CONFIG,
                **kafka.confluent(),
                "linger.ms": 5,
                "delivery.timeout.ms": 900_000,
                "delivery.report.only.error": False,
                "queue.buffering.max.messages": 1_000_000,
                "reconnect.backoff.max.ms": 1_000,
                "log_level": 0,
            }
        )
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="chaos-traffic", daemon=True)

    @property
    def messages(self) -> int:
        """Messages sent so far."""
        return self._numbers

    def start(self) -> None:
        """Begin to send."""
        self._thread.start()

    def jump(self, amount_ms: int, lasts_ms: int) -> None:
        """Some of the producers' clocks are wrong for a while."""
        self._jump_ms, self._jump_until = amount_ms, time.monotonic() + lasts_ms / 1000

    def stop(self, last_word_of: Sequence[str]) -> None:
        """End; these tenants report once more of each type. Returns when all is acknowledged."""
        self._stopping.set()
        self._thread.join()
        for tenant in last_word_of:
            for event_type in (prices.LLM_REQUEST, prices.API_CALL, prices.SEATS):
                text = self._elements.event(tenant, _now_ms(), event_type)
                self._send(self._partition(tenant), tenant, [text], is_array=False)
        left = self._producer.flush(FLUSH_SECONDS)
        if left:
            self.failures.append(f"{left} messages were not acknowledged in {FLUSH_SECONDS} s")

    def _run(self) -> None:
        started, sent = time.monotonic(), 0
        while not self._stopping.is_set():
            due = int((time.monotonic() - started) * self._rate)
            for _ in range(due - sent):
                self._send_one()
            sent = due
            self._producer.poll(0.01)

    def _send_one(self) -> None:
        if self._random.random() < 0.002:
            self._send_broken()
        elif self._random.random() < 0.001:
            self._send_without_key()
        else:
            self._send_usage()

    def _send_usage(self) -> None:
        (tenant,) = self._random.choices(self._tenants, cum_weights=self._weights)
        partition = self._partition(tenant)
        texts = []
        waiting = self._repeats[partition]
        if waiting and waiting[0].due <= self._sent_in[partition]:
            repeat = heapq.heappop(waiting)
            tenant = repeat.tenant
            texts.append(repeat.text)
            self._repeat_later(partition, repeat.tenant, repeat.text, repeat.again)
        size = self._size() - len(texts)
        texts += [self._element(tenant, partition) for _ in range(size)]
        if len(texts) > 2 and self._random.random() < 0.05:
            texts.append(self._again(self._random.choice(texts)))
        self._send(partition, tenant, texts, is_array=len(texts) > 1 or self._random.random() < 0.1)

    def _size(self) -> int:
        return self._random.randint(2, 20) if self._random.random() < 0.2 else 1

    def _element(self, tenant: str, partition: int) -> Text:
        now_ms, random = _now_ms(), self._random
        if random.random() < 0.005:
            return self._elements.malformed(tenant, now_ms)
        time_ms = now_ms - int(random.expovariate(1 / 1_000))
        jump_ms = self._jump_now()
        text = self._elements.event(tenant, time_ms + jump_ms)
        if jump_ms < -MAX_AGE_MS:
            return beyond_limits(text, "too_old")
        if jump_ms > MAX_LEAD_MS:
            return beyond_limits(text, "in_future")
        if random.random() < 0.015:
            again = random.randint(3, 8) if random.random() < 0.1 else 0
            self._repeat_later(partition, tenant, text, again + 1)
        return text

    def _jump_now(self) -> int:
        is_wrong = time.monotonic() < self._jump_until and self._random.random() < 0.4
        return self._jump_ms if is_wrong else 0

    def _repeat_later(self, partition: int, tenant: str, text: Text, again: int) -> None:
        if again:
            farthest = LONGEST_DELAY if again > 1 or self._random.random() < 0.5 else 10
            due = self._sent_in[partition] + self._random.randint(1, farthest)
            repeat = _Repeat(
                due, self._random.getrandbits(62), tenant, self._again(text), again - 1
            )
            heapq.heappush(self._repeats[partition], repeat)

    def _again(self, text: Text) -> Text:
        """The same once more, now and then with other content."""
        if isinstance(text.meant, Malformed) or self._random.random() > 0.1:
            return text
        return self._elements.other_content(text)

    def _send_broken(self) -> None:
        (tenant,) = self._random.choices(self._tenants, cum_weights=self._weights)
        marker = f"record-{self._numbers:08d}"
        reason, value, letter = self._random.choice(broken_records(marker))
        elements = (Malformed(reason, letter),)
        self._produce(self._partition(tenant), tenant.encode(), value, elements)

    def _send_without_key(self) -> None:
        """A record without a key goes anywhere; all of its elements are rejected."""
        tenant = self._random.choice(self._tenants)
        texts = [self._elements.event(tenant, _now_ms()) for _ in range(self._size())]
        texts = [replace(text, meant=Malformed("key_missing", text.text)) for text in texts]
        partition = self._random.randrange(len(self._sent_in))
        elements = tuple(text.meant for text in texts)
        self._produce(partition, None, _array(texts), elements)

    def _send(self, partition: int, tenant: str, texts: Sequence[Text], *, is_array: bool) -> None:
        value = _array(texts) if is_array else texts[0].text
        self._produce(partition, tenant.encode(), value, tuple(text.meant for text in texts))

    def _produce(
        self, partition: int, key: bytes | None, value: bytes | None, elements: tuple[Element, ...]
    ) -> None:
        number, self._numbers = self._numbers, self._numbers + 1
        self._sent_in[partition] += 1
        self._truth.sent(Sent(number, partition, elements))
        headers: list[tuple[str, str | bytes | None]] = [
            (NUMBER_HEADER, b"%d" % number),
            (SENT_AT_HEADER, b"%d" % _now_ms()),
        ]
        where = partition if key is None else BY_KEY
        while True:
            try:
                self._producer.produce(
                    USAGE_EVENTS, value, key, where, headers=headers, on_delivery=self._told
                )
            except BufferError:
                self._producer.poll(0.1)
            else:
                return

    def _told(self, error: KafkaError | None, _: Message) -> None:
        if error is None:
            self.acknowledged += 1
        else:
            self.failures.append(error.str())

    def _partition(self, tenant: str) -> int:
        return partition_of(tenant, len(self._sent_in))


def partition_of(tenant: str, partitions: int) -> int:
    """Java's choice for a key."""
    hashed: int = murmur2(tenant.encode())
    return (hashed & 0x7FFFFFFF) % partitions


def _array(texts: Sequence[Text]) -> bytes:
    return b"[" + b",".join(text.text for text in texts) + b"]"


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
