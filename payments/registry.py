"""The configured providers by name. A provider without its settings is absent, not broken."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from payments import sandbox
from schemas.errors import NotFound
from schemas.ports import Clock, PaymentProvider


@dataclass(frozen=True, slots=True)
class ProviderSettings:
    """What the providers need; an empty address or key leaves its provider out.

    Webhook secrets are tried in order, so that a new one can be added before the old one goes.
    """

    sandbox_url: str = ""
    sandbox_secrets: tuple[str, ...] = ()
    stripe_api_key: str = ""
    stripe_secrets: tuple[str, ...] = ()
    stripe_api_base: str = ""

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> "ProviderSettings":
        """Read `COUNTINGHOUSE_SANDBOX_URL`, `…_WEBHOOK_SECRET`, `…_STRIPE_API_KEY` and others.

        Secrets are separated by commas.
        """

        def read(name: str) -> str:
            return environment.get(f"COUNTINGHOUSE_{name}", "")

        return cls(
            sandbox_url=read("SANDBOX_URL"),
            sandbox_secrets=_split(read("WEBHOOK_SECRET")),
            stripe_api_key=read("STRIPE_API_KEY"),
            stripe_secrets=_split(read("STRIPE_WEBHOOK_SECRET")),
            stripe_api_base=read("STRIPE_API_BASE"),
        )


class Providers(Mapping[str, PaymentProvider]):
    """The configured providers by name."""

    def __init__(self, providers: Mapping[str, PaymentProvider], prefer: str = "") -> None:
        self._providers = dict(providers)
        self._prefer = prefer

    @classmethod
    def from_settings(
        cls, settings: ProviderSettings, clock: Clock = sandbox.now_ms, *, prefer: str = ""
    ) -> "Providers":
        """Build what is configured; `prefer` is the name of the provider of new attempts."""
        built: dict[str, PaymentProvider] = {}
        if settings.sandbox_url:
            built[sandbox.NAME] = sandbox.SandboxProvider(
                settings.sandbox_url, settings.sandbox_secrets, clock
            )
        if settings.stripe_api_key:
            built["stripe"] = _stripe(settings, clock)
        return cls(built, prefer)

    def __getitem__(self, name: str) -> PaymentProvider:
        """The provider of a name.

        Raises:
            NotFound: it is not configured; the text lists those that are.
        """
        if name not in self._providers:
            configured = ", ".join(self._providers) or "none"
            raise NotFound(f"payment provider {name!r} is not configured; configured: {configured}")
        return self._providers[name]

    def __contains__(self, name: object) -> bool:
        return name in self._providers

    def __iter__(self) -> Iterator[str]:
        return iter(self._providers)

    def __len__(self) -> int:
        return len(self._providers)

    @property
    def preferred(self) -> PaymentProvider:
        """The provider of new attempts: the preferred one, else a real one, else the sandbox.

        Raises:
            NotFound: it is not configured.
        """
        real = [name for name in self._providers if name != sandbox.NAME]
        return self[self._prefer or next(iter(real), sandbox.NAME)]

    def close(self) -> None:
        """Close the connections of all providers that hold some."""
        for provider in self._providers.values():
            close: Callable[[], Any] | None = getattr(provider, "close", None)
            if close is not None:
                close()


def _stripe(settings: ProviderSettings, clock: Clock) -> PaymentProvider:
    from payments.stripe import StripeProvider

    return StripeProvider(
        settings.stripe_api_key, settings.stripe_secrets, clock, settings.stripe_api_base or None
    )


def _split(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())
