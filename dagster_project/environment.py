"""What a run needs to know of its surroundings, read from the environment when it starts.

The variables and defaults are those of `countinghouse.settings`, which this package may not
import; a test keeps the two equal. Nothing is read when definitions are loaded but `production`,
so no secret enters Dagster's snapshots.
"""

from datetime import timedelta

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

from payments.registry import ProviderSettings
from stores.kafka_settings import KafkaSettings
from stores.store_settings import StoreSettings

_MILLISECOND = timedelta(milliseconds=1)


class Environment(BaseSettings, StoreSettings, KafkaSettings):
    """`COUNTINGHOUSE_…` variables; an empty address means the part of the local stack."""

    model_config = SettingsConfigDict(
        env_prefix="COUNTINGHOUSE_", extra="ignore", frozen=True, env_ignore_empty=True
    )

    dedupe_window: int = 20_000
    close_grace: timedelta = timedelta(hours=1)
    draft_period: timedelta = timedelta(0)
    approval: bool = False
    max_held: float = Field(0.01, ge=0, le=1)
    seller: str = "countinghouse demo seller"
    production: bool = False
    alert_url: str = ""
    notify_secret: str = ""
    sandbox_url: str = ""
    sandbox_port: int = 18081
    webhook_secret: str = "sandbox-secret"  # noqa: S105 - the sandbox's, known to all
    charges_at_once: int = Field(8, ge=1)
    stripe_api_key: str = ""
    stripe_webhook_secret: str = ""

    @property
    def close_grace_ms(self) -> int:
        """Wait after a month's end before it may close."""
        return self.close_grace // _MILLISECOND

    @property
    def draft_period_ms(self) -> int:
        """Time between drafts and their finalizing."""
        return self.draft_period // _MILLISECOND

    @property
    def providers(self) -> ProviderSettings:
        """What the payment providers need."""
        return ProviderSettings(
            sandbox_url=self.sandbox_url or f"http://127.0.0.1:{self.sandbox_port}",
            sandbox_secrets=(self.webhook_secret,),
            stripe_api_key=self.stripe_api_key,
            stripe_secrets=tuple(filter(None, [self.stripe_webhook_secret])),
        )
