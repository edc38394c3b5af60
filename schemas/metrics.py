"""Every metric that a process of ours tells Prometheus. `docs/metrics.md` is made from this list.

Owns names, kinds, labels, meanings, and what a person does about a figure. It counts nothing.
"""

from dataclasses import dataclass
from typing import Literal

Process = Literal["counters", "landing", "relay", "api"]
Kind = Literal["counter", "gauge", "histogram"]

FINE = "–"


@dataclass(frozen=True, slots=True)
class Metric:
    """A metric; a counter's samples end in `_total`, as Prometheus wants it.

    `act` is when a person has something to do and what, FINE when every figure is well.
    """

    name: str
    kind: Kind
    process: Process
    meaning: str
    act: str = FINE
    labels: tuple[str, ...] = ()

    @property
    def sample(self) -> str:
        """The name in queries."""
        return f"{self.name}_total" if self.kind == "counter" else self.name


def _of(process: Process, kind: Kind, name: str, meaning: str, act: str = FINE,
        *labels: str) -> Metric:  # fmt: skip
    return Metric(f"countinghouse_{name}", kind, process, meaning, act, labels)


COUNTED = _of("counters", "counter", "counters_events", "Events counted.")
DUPLICATES = _of(
    "counters", "counter", "counters_duplicates", "Repeats that were not counted.",
    "A steady share above the usual one is a producer that resends what was taken.",
)  # fmt: skip
COUNTERS_REJECTED = _of(
    "counters", "counter", "counters_rejected", "Elements that were not admitted.",
    "When it rises: `countinghouse rejected list` says which and why.",
)  # fmt: skip
CROSSINGS = _of(
    "counters", "counter", "counters_crossings", "Thresholds and hard limits announced.", FINE,
    "kind",
)  # fmt: skip
HOLES = _of(
    "counters", "counter", "counters_holes",
    "Fetches that did not start where the last one ended, looked at again.",
    "Many a second without transactional producers: the consumer loses fetches, see the log.",
)  # fmt: skip
RELOADS = _of(
    "counters", "counter", "counters_reloads",
    "Partitions read from the log, the first time included.",
    "When it rises while no worker comes or goes: partitions fail, the worker's log says why.",
)  # fmt: skip
FENCED = _of(
    "counters", "counter", "counters_fenced", "Partitions lost to another owner while held.",
    "When it rises while no worker comes or goes: two groups use one `group_id`, or a worker is "
    "frozen for longer than its session timeout.",
)  # fmt: skip
FLUSH = _of(
    "counters", "histogram", "counters_flush_seconds", "Duration of a transaction.",
    "A 99th percentile above 0.25 s delays announcements: look at the broker's disk and load.",
)  # fmt: skip
COUNTERS_LAG = _of(
    "counters", "gauge", "counters_lag_records", "Records that are not counted yet.",
    "When it grows for minutes: start more workers, up to one a partition.", "partition",
)  # fmt: skip
COUNTERS_LAG_SECONDS = _of(
    "counters", "gauge", "counters_lag_seconds", "Age of the oldest record that is not counted.",
    "Above 1 s limits are announced late: see `countinghouse_counters_lag_records`.", "partition",
)  # fmt: skip
COUNTERS_EPOCH = _of(
    "counters", "gauge", "counters_epoch", "Epoch of usage.events.",
    "When processes differ: restart the one with the lower figure.",
)  # fmt: skip
COUNTERS_CATALOG = _of(
    "counters", "gauge", "counters_catalog_version", "Version of the price list that it counts by.",
    "When processes differ: restart those with the lower figure.",
)  # fmt: skip

NOTICES_DELIVERED = _of(
    "counters", "counter", "notices_delivered", "Facts that a receiver took.", FINE, "receiver",
    "kind",
)  # fmt: skip
NOTICES_RETRIED = _of(
    "counters", "counter", "notices_retried", "Attempts that failed and are followed by another.",
    "When it rises for minutes: the receiver is down or refuses our signature, see the log.",
    "receiver",
)  # fmt: skip
NOTICES_GIVEN_UP = _of(
    "counters", "counter", "notices_given_up",
    "Facts that a receiver does not get: it refused them for good, or they expired.",
    "Above 0: the log names each id; docs/webhooks.md says how to have them sent again.",
    "receiver", "reason",
)  # fmt: skip
NOTICES_WAITING = _of(
    "counters", "gauge", "notices_waiting", "Facts read and not yet delivered or given up.",
    "When it stands at hundreds: the receiver is slower than what is announced.", "receiver",
)  # fmt: skip
NOTICES_OLDEST = _of(
    "counters", "gauge", "notices_oldest_seconds", "Age of the oldest fact that waits.",
    "Above a minute: see `countinghouse_notices_retried_total`.", "receiver",
)  # fmt: skip

LANDED = _of("landing", "counter", "landing_events", "Deliveries inserted.")
LANDING_REJECTED = _of(
    "landing", "counter", "landing_rejected", "Elements rejected.",
    "When it rises: `countinghouse rejected list` shows them; their producer is to be mended.",
    "reason",
)  # fmt: skip
BATCH_ROWS = _of(
    "landing", "histogram", "landing_batch_rows",
    "Deliveries in a committed batch; their number is that of batches.",
    "Always below a hundred: ClickHouse gets many small inserts; it merges them, at a cost.",
)  # fmt: skip
BATCH_SECONDS = _of(
    "landing", "histogram", "landing_batch_seconds",
    "Time in building and inserting a committed batch.",
    "Above 5 s: ClickHouse is slow, look at its merges and its disk.",
)  # fmt: skip
LANDING_RETRIES = _of(
    "landing", "counter", "landing_retries", "Batches read again after a failure.",
    "When it rises: ClickHouse or Kafka does not answer, landing's log says which.",
)  # fmt: skip
LANDING_LOST = _of(
    "landing", "counter", "landing_lost", "Records that Kafka deleted before they were landed.",
    "Above 0: the log names the offsets; their producers must send them again. Keep usage longer.",
)  # fmt: skip
LANDING_POSITION = _of(
    "landing", "gauge", "landing_position", "Committed offset.", FINE, "topic", "partition"
)
LANDING_LAG = _of(
    "landing", "gauge", "landing_lag_records", "Records that are not landed yet.",
    "When it grows for minutes: start more landers, or look at ClickHouse.", "topic", "partition",
)  # fmt: skip
LANDING_LAG_SECONDS = _of(
    "landing", "gauge", "landing_lag_seconds",
    "Time since landing last had all that had arrived by then; after a start, since the start.",
    "Above a minute usage in the warehouse is late; a month's close waits for it.", "topic",
    "partition",
)  # fmt: skip
LANDING_EPOCH = _of(
    "landing", "gauge", "landing_epoch", "Epoch of usage.events.",
    "When processes differ: restart the one with the lower figure.",
)  # fmt: skip
LANDING_CATALOG = _of(
    "landing", "gauge", "landing_catalog_version", "Version of the price list that it lands by.",
    "When processes differ: restart those with the lower figure.",
)  # fmt: skip

RELAY_SENT = _of(
    "relay", "counter", "relay_sent", "Entitlements, events or rows sent.", FINE, "duty"
)
RELAY_FAILURES = _of(
    "relay", "counter", "relay_failures", "Rounds that failed.",
    "When it rises: the relay's log says what does not answer.", "duty",
)  # fmt: skip
RELAY_IDLE = _of(
    "relay", "gauge", "relay_idle_seconds",
    "Time since the duty moved something or found nothing to move.",
    "Above 5 s the relay is not ready: plans that change are not in force, see its log.", "duty",
)  # fmt: skip

WEBHOOKS_RECEIVED = _of(
    "api", "counter", "webhooks_received",
    "Payment webhooks by provider and what became of them at the door.",
    "`refused` rises: the provider's signing secret differs from ours.", "provider", "outcome",
)  # fmt: skip
WEBHOOKS_FINISHED = _of(
    "api", "gauge", "webhooks_finished", "Payment webhooks acted on since the start."
)

METRICS: tuple[Metric, ...] = tuple(
    value for value in list(globals().values()) if isinstance(value, Metric)
)
"""All of them, in the order above."""


def of_process(process: Process) -> list[Metric]:
    """What one process tells."""
    return [metric for metric in METRICS if metric.process == process]
