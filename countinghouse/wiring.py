"""Settings made into what the parts take: the only place that knows both."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import timedelta

from countinghouse.replay import ReplayTarget
from countinghouse.settings import Settings
from countinghouse.waiting import wait_until
from payments.registry import ProviderSettings
from schemas.epoch import Epoch
from schemas.errors import Conflict
from schemas.topics import USAGE_EVENTS, TopicNames, named
from stores import ledger, log
from stores.log import KafkaLog
from stores.warehouse import client
from stores.warehouse.events import WarehouseEvents
from stores.warehouse.usage import WarehouseUsage
from streams.journal.counters import CountersConfig, CounterTopics
from streams.landing.landing_config import LandingConfig
from streams.relay.relay import RelayConfig

PATIENCE_SECONDS = 30
COUNTERS_GROUP = "countinghouse-counters"


def live_epoch(settings: Settings) -> Epoch:
    """The live topic of usage, by the ledger.

    Raises:
        Conflict: it was never opened, so no process of ours has run yet.
    """
    live = ledger.connect(settings.ledger_url).live_epoch()
    if live is None or live.topic_id != log.topic_id(settings.kafka_access, live.topic):
        name = USAGE_EVENTS if live is None else live.topic
        raise Conflict(f"{name} has no epoch yet: run `countinghouse up`")
    return live


def usage_log(settings: Settings) -> KafkaLog:
    """How far the log reaches and has been landed."""
    return log.live_log(ledger.connect(settings.ledger_url), settings.kafka_access)


def await_landing(settings: Settings) -> None:
    """Return when landing has read all that the log holds now. Raises BillingError: it stands."""
    log = usage_log(settings)
    ends = log.ends()
    what = "landing to reach the end of usage.events"
    wait_until(lambda: log.landed().covers(ends), what, progress=log.landed)


@contextmanager
def usage_reader(
    settings: Settings, *, patience_seconds: int = PATIENCE_SECONDS
) -> Iterator[WarehouseUsage]:
    """The warehouse's usage, open for the block; a comparison waits as long for landing."""
    connection = client.connect(settings.clickhouse_url)
    try:
        yield WarehouseUsage(connection, settings.dedupe_window, patience_seconds)
    finally:
        connection.close()


@contextmanager
def event_reader(settings: Settings) -> Iterator[WarehouseEvents]:
    """The warehouse's events, open for the block."""
    with client.connect(settings.clickhouse_url) as connection:
        yield WarehouseEvents(connection)


def replay_target(settings: Settings) -> ReplayTarget:
    """Where usage is replayed to: the live topic."""
    live = live_epoch(settings)
    return ReplayTarget(settings.kafka_access, live.partitions, settings.dedupe_window, live.topic)


def provider_settings(settings: Settings) -> ProviderSettings:
    """What the payment providers need."""
    return ProviderSettings(
        sandbox_url=settings.sandbox_address,
        sandbox_secrets=(settings.webhook_secret,),
        stripe_api_key=settings.stripe_api_key,
        stripe_secrets=tuple(filter(None, [settings.stripe_webhook_secret])),
    )


def counters_config(settings: Settings, live: Epoch | None = None) -> CountersConfig:
    """What a worker of counters needs: the newest price list and the live topics, if not others."""
    version, catalog = ledger.connect(settings.ledger_url).catalog()
    live = live or live_epoch(settings)
    return CountersConfig(
        kafka=settings.kafka_access,
        epoch=live.number,
        catalog_version=version,
        catalog=catalog,
        partitions=live.partitions,
        dedupe_window=settings.dedupe_window,
        max_age_ms=milliseconds(settings.max_event_age),
        max_lead_ms=milliseconds(settings.max_event_lead),
        max_bytes=settings.max_event_bytes,
        flush_interval_s=settings.flush_interval.total_seconds(),
        web_port=settings.counters_port,
        data_dir=settings.home / "counters",
        host=settings.host,
        group_id=named(COUNTERS_GROUP, live.generation),
        topics=CounterTopics(**asdict(TopicNames.of(live.generation))),
    )


def landing_config(settings: Settings) -> LandingConfig:
    """What a lander needs: the newest price list and the live topics."""
    version, catalog = ledger.connect(settings.ledger_url).catalog()
    live = live_epoch(settings)
    names = TopicNames.of(live.generation)
    return LandingConfig(
        kafka=settings.kafka_access,
        clickhouse_url=settings.clickhouse_url,
        epoch=live.number,
        catalog_version=version,
        catalog=catalog,
        partitions=live.partitions,
        max_age_ms=milliseconds(settings.max_event_age),
        max_lead_ms=milliseconds(settings.max_event_lead),
        max_bytes=settings.max_event_bytes,
        batch_size=settings.landing_batch,
        port=settings.landing_port,
        host=settings.host,
        usage_topic=names.usage,
        state_topic=names.state,
    )


def milliseconds(limit: timedelta | None) -> int | None:
    """A limit of event time as the parts take it; None is no limit."""
    return None if limit is None else limit // timedelta(milliseconds=1)


def relay_config(settings: Settings) -> RelayConfig:
    """What the relay needs."""
    live = ledger.connect(settings.ledger_url).live_epoch()
    names = TopicNames.of(1 if live is None else live.generation)
    return RelayConfig(
        ledger_url=settings.ledger_url,
        kafka=settings.kafka_access,
        clickhouse_url=settings.clickhouse_url,
        port=settings.relay_port,
        host=settings.host,
        entitlements_topic=names.entitlements,
    )
