"""Settings made into what the parts take: the only place that knows both."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

from countinghouse.settings import Settings
from countinghouse.waiting import wait_until
from payments.registry import ProviderSettings
from schemas.errors import Conflict
from stores import ledger, log
from stores.log import KafkaLog
from stores.warehouse import client
from stores.warehouse.usage import WarehouseUsage
from streams.counters import CountersConfig
from streams.relay import RelayConfig

PATIENCE_SECONDS = 30


def live_epoch(settings: Settings) -> int:
    """The epoch of the topic `usage.events` as it is now.

    Raises:
        Conflict: it was never opened, so no process of ours has run yet.
    """
    topic = log.topic_id(settings.kafka_servers)
    epoch = ledger.connect(settings.ledger_url).epoch(topic)
    if epoch is None:
        raise Conflict("usage.events has no epoch yet: run `countinghouse up`")
    return epoch


def usage_log(settings: Settings) -> KafkaLog:
    """How far the log reaches and has been landed."""
    return KafkaLog(settings.kafka_servers, live_epoch(settings))


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


def provider_settings(settings: Settings) -> ProviderSettings:
    """What the payment providers need."""
    return ProviderSettings(
        sandbox_url=settings.sandbox_address,
        sandbox_secrets=(settings.webhook_secret,),
        stripe_api_key=settings.stripe_api_key,
        stripe_secrets=tuple(filter(None, [settings.stripe_webhook_secret])),
    )


def counters_config(settings: Settings) -> CountersConfig:
    """What a worker of counters needs: the newest price list and the live topic's epoch."""
    version, catalog = ledger.connect(settings.ledger_url).catalog()
    return CountersConfig(
        kafka_servers=settings.kafka_servers,
        epoch=live_epoch(settings),
        catalog_version=version,
        catalog=catalog,
        dedupe_window=settings.dedupe_window,
        max_age_ms=milliseconds(settings.max_event_age),
        max_lead_ms=milliseconds(settings.max_event_lead),
        max_bytes=settings.max_event_bytes,
        flush_interval_s=settings.flush_interval.total_seconds(),
        web_port=settings.counters_port,
        data_dir=settings.home / "counters",
    )


def milliseconds(limit: timedelta | None) -> int | None:
    """A limit of event time as the parts take it; None is no limit."""
    return None if limit is None else limit // timedelta(milliseconds=1)


def relay_config(settings: Settings) -> RelayConfig:
    """What the relay needs."""
    return RelayConfig(
        ledger_url=settings.ledger_url,
        kafka_servers=settings.kafka_servers,
        clickhouse_url=settings.clickhouse_url,
        port=settings.relay_port,
    )
