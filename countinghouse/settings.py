"""Every knob of countinghouse, in one place: environment, settings file, defaults, in that order.

Owns names, types and defaults of settings and the addresses that follow from them. Those that
Dagster's processes need, too, are in `stores.store_settings` and `stores.kafka_settings`. It opens
nothing: a wrong address is reported by the part that uses it.
"""

from datetime import timedelta
from functools import cached_property
from typing import Annotated, Any

from pydantic import BeforeValidator, Field
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from stores.kafka_settings import KafkaSettings
from stores.store_settings import StoreSettings

SETTINGS_FILE = "countinghouse.toml"


def _off_means_none(value: Any) -> Any:
    return None if value == "off" else value


Limit = Annotated[timedelta | None, BeforeValidator(_off_means_none)]


class Settings(BaseSettings, StoreSettings, KafkaSettings):
    """Settings by `COUNTINGHOUSE_<NAME>`, else from `countinghouse.toml`, else as given here.

    Durations are written as pydantic reads them (`P35D`, `PT1H`, or seconds); the two event
    limits also take `off`. An address left empty means the embedded part of the local stack.
    """

    model_config = SettingsConfigDict(
        env_prefix="COUNTINGHOUSE_", toml_file=SETTINGS_FILE, extra="forbid", frozen=True
    )

    host: str = Field("127.0.0.1", description="Address that our HTTP processes listen on.")
    kafka_controller_port: int = Field(19093, description="Port of the local broker's controller.")
    api_port: int = Field(18080, description="Port of the API, which takes providers' webhooks.")
    sandbox_port: int = Field(18081, description="Port of the sandbox provider.")
    counters_port: int = Field(18082, description="Port of counters' `/readyz` and `/metrics`.")
    landing_port: int = Field(18083, description="Port of landing's `/readyz` and `/metrics`.")
    relay_port: int = Field(18084, description="Port of the relay's `/readyz` and `/metrics`.")
    dagster_port: int = Field(13000, description="Port of Dagster's UI.")

    partitions: int = Field(
        8, ge=1, description="Partitions of the per-tenant topics; equal for all of them."
    )
    replication: int = Field(1, ge=1, description="Replication factor of the topics.")
    dedupe_window: int = Field(
        20_000,
        ge=1,
        description="How many offsets back a repeated event is recognized; 160 bytes an event.",
    )
    max_event_age: Limit = Field(
        timedelta(days=35),
        description="How old an event may be on arrival, or `off`.",
    )
    max_event_lead: Limit = Field(
        timedelta(hours=1),
        description="How far ahead of its arrival a time may be, or `off`.",
    )
    max_event_bytes: int = Field(65_536, ge=1, description="Largest event that is admitted.")
    flush_interval: timedelta = Field(
        timedelta(milliseconds=500), description="Longest time between two counter transactions."
    )
    landing_batch: int = Field(50_000, ge=1, description="About how many elements one insert has.")

    notify_urls: str = Field(
        "",
        description="Where alerts and exceeded quotas are posted, separated by spaces; "
        "empty: they are only logged.",
    )
    notify_secret: str = Field(
        "",
        description="Signs what is posted: whsec_ and base64 of 24 to 64 bytes; "
        "two, separated by a space, while receivers change over.",
    )
    notify_patience: timedelta = Field(
        timedelta(days=1), description="How long an announcement is tried before it is given up."
    )
    notify_timeout: timedelta = Field(
        timedelta(seconds=15), description="Longest wait for a receiver's answer."
    )

    alert_url: str = Field(
        "",
        description="Where failed and overdue month runs are posted, signed with notify_secret.",
    )

    close_grace: timedelta = Field(
        timedelta(hours=1), description="Wait after a month's end before it may close."
    )
    draft_period: timedelta = Field(
        timedelta(0), description="Time between drafts and their finalizing."
    )
    approval: bool = Field(False, description="Finalize only drafts that somebody has approved.")
    max_held: float = Field(
        0.01,
        ge=0,
        le=1,
        description="Share of held invoices beyond which the whole run stops; a single one "
        "stops it only if the share is 0.",
    )
    seller: str = Field("countinghouse demo seller", description="Who issues the invoices.")
    production: bool = Field(False, description="Let Dagster's schedules and sensors run.")
    sandbox_url: str = Field(
        "", description="Where the sandbox provider is; empty: on this machine."
    )
    charges_at_once: int = Field(
        8,
        ge=1,
        description="How many charges are under way at a provider at the same time.",
    )
    webhook_url: str = Field(
        "", description="Where the sandbox sends webhooks; empty: our API here."
    )
    stripe_api_key: str = Field("", description="Set it to collect by Stripe.")
    stripe_webhook_secret: str = Field("", description="The signing secret of Stripe's webhooks.")
    webhook_secret: str = Field(
        "sandbox-secret", description="Shared secret of the sandbox provider's webhooks."
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments, then the environment, then the settings file."""
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls)

    @cached_property
    def sandbox_address(self) -> str:
        """URL of the sandbox provider in force."""
        return self.sandbox_url or f"http://127.0.0.1:{self.sandbox_port}"

    @cached_property
    def webhook_address(self) -> str:
        """URL that the sandbox provider sends its webhooks to."""
        return self.webhook_url or f"http://127.0.0.1:{self.api_port}/webhooks/sandbox"
