"""The relay: a process that keeps topics and the warehouse's copies up to date with the ledger.

Four duties, each in a thread of its own, so that a slow warehouse does not delay entitlements. They
poll; what they send and how it is marked is in `relay_duties`, `relay_mirror`, `relay_transitions`.
"""

import logging
import threading
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from dataclasses import dataclass

from schemas.errors import BillingError
from schemas.ports import Clock
from schemas.topics import BILLING_EVENTS, ENTITLEMENTS
from stores.kafka import KafkaAccess
from stores.ledger import Ledger, connect, system_clock
from streams.health.health import LOOPBACK, serving
from streams.relay.relay_duties import BillingEventsDuty, Duty, EntitlementsDuty, Outlet
from streams.relay.relay_health import RelayHealth
from streams.relay.relay_mirror import MirrorDuty
from streams.relay.relay_transitions import TransitionsDuty
from streams.stopping import asked_to_stop

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RelayConfig:
    """What the relay needs. `clock` decides which month is the running one."""

    kafka: KafkaAccess
    ledger_url: str
    clickhouse_url: str
    port: int
    host: str = LOOPBACK
    interval_s: float = 0.2
    batch: int = 5_000
    clock: Clock = system_clock
    entitlements_topic: str = ENTITLEMENTS
    billing_events_topic: str = BILLING_EVENTS


@dataclass(frozen=True, slots=True)
class PublishedCounts:
    """What `publish_all` sent."""

    entitlements: int
    billing_events: int


def run(config: RelayConfig) -> None:
    """Be the relay until SIGTERM or SIGINT; a duty that fails is tried again.

    Raises:
        DependencyUnreachable: the ledger is not there. Conflict: the port is in use.
    """
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    relay(config, asked_to_stop())


def relay(config: RelayConfig, stop: threading.Event) -> None:
    """Be the relay until the event is set; see `run`."""
    ledger = connect(config.ledger_url)
    duties = (
        *_kafka_duties(config, ledger),
        TransitionsDuty(ledger, config.clock),
        MirrorDuty(ledger, config.clickhouse_url, config.batch),
    )
    health = RelayHealth(*(duty.name for duty in duties))
    with (
        serving(health, config.port, "COUNTINGHOUSE_RELAY_PORT", config.host),
        ThreadPoolExecutor(len(duties)) as threads,
    ):
        _log.info("the relay is up")
        repeated = [threads.submit(_repeat, duty, health, config, stop) for duty in duties]
        wait(repeated, return_when=FIRST_COMPLETED)
        # One that ended before the event was set has met a bug: all end, and it is raised.
        stop.set()
        for ended in repeated:
            ended.result()
    ledger.close()


def publish_all(config: RelayConfig) -> PublishedCounts:
    """Send entitlements and billing events until none is behind; beside a running relay or not.

    Raises:
        DependencyUnreachable: Kafka or the ledger does not answer.
    """
    ledger = connect(config.ledger_url)
    entitlements, events = (_exhaust(duty) for duty in _kafka_duties(config, ledger))
    ledger.close()
    return PublishedCounts(entitlements, events)


def _kafka_duties(config: RelayConfig, ledger: Ledger) -> Sequence[Duty]:
    return (
        EntitlementsDuty(
            ledger, Outlet(config.kafka, config.entitlements_topic), config.clock, config.batch
        ),
        BillingEventsDuty(ledger, Outlet(config.kafka, config.billing_events_topic), config.batch),
    )


def _repeat(duty: Duty, health: RelayHealth, config: RelayConfig, stop: threading.Event) -> None:
    """Step until told to stop; at once after a batch, else after the interval."""
    while not stop.is_set():
        try:
            sent = duty.step()
        except BillingError as error:
            if health.failed(duty.name, str(error)):
                _log.warning("%s: %s", duty.name, error)
            stop.wait(config.interval_s)
            continue
        health.progressed(duty.name, sent)
        if not sent:
            stop.wait(config.interval_s)


def _exhaust(duty: Duty) -> int:
    total = 0
    while sent := duty.step():
        total += sent
    return total
