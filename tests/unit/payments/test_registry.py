"""The registry: what is configured is there, what is not is absent and named."""

import pytest

from payments.registry import Providers, ProviderSettings
from schemas.errors import NotFound

SANDBOX = {
    "COUNTINGHOUSE_SANDBOX_URL": "http://127.0.0.1:9",
    "COUNTINGHOUSE_WEBHOOK_SECRET": "a, b",
}
STRIPE = {"COUNTINGHOUSE_STRIPE_API_KEY": "sk_test_1"}


@pytest.mark.parametrize(
    ("environment", "names"),
    [
        ({}, []),
        (SANDBOX, ["sandbox"]),
        (STRIPE, ["stripe"]),
        (SANDBOX | STRIPE, ["sandbox", "stripe"]),
    ],
)
def test_only_configured_providers_are_there(environment: dict[str, str], names: list[str]) -> None:
    providers = Providers.from_settings(ProviderSettings.from_environment(environment))
    assert list(providers) == names
    assert [provider.name for provider in providers.values()] == names
    providers.close()


def test_asking_for_another_names_those_that_are_configured() -> None:
    providers = Providers.from_settings(ProviderSettings.from_environment(SANDBOX))
    assert "alipay" not in providers
    with pytest.raises(NotFound, match="'alipay' is not configured; configured: sandbox"):
        providers["alipay"]
    providers.close()


def test_secrets_are_several_for_rotation() -> None:
    assert ProviderSettings.from_environment(SANDBOX).sandbox_secrets == ("a", "b")
