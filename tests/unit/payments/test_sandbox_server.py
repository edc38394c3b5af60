"""The sandbox's HTTP: what it accepts and what it refuses."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from payments.sandbox_server import Sandbox, SandboxConfig, retry_delay_ms
from schemas.subscription import GOOD_CARD
from tests.unit.api.asgi import AppClient, serving

CHARGE = {"amount_minor": 100, "currency": "USD", "card": GOOD_CARD}


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[AppClient]:
    config = SandboxConfig("", 0, tmp_path / "sandbox.db", "http://127.0.0.1:9/", "secret", 60_000)
    with serving(Sandbox(config).app()) as client:
        yield client


@pytest.mark.parametrize(
    ("key", "body", "status"),
    [
        ("k", CHARGE, 201),
        (None, CHARGE, 400),
        ("k", CHARGE | {"amount_minor": 0}, 422),
        ("k", CHARGE | {"amount_minor": 1.5}, 422),
        ("k", CHARGE | {"surplus": 1}, 422),
        ("k", {}, 422),
        ("k", CHARGE | {"card": "1"}, 402),
    ],
)
def test_a_charge_is_answered_by_its_form(
    sandbox: AppClient, key: str | None, body: dict[str, object], status: int
) -> None:
    headers = {"idempotency-key": key} if key else {}
    assert sandbox.post("/charges", json=body, headers=headers).status_code == status


def test_a_charge_is_found_by_reference_and_by_key(sandbox: AppClient) -> None:
    made = sandbox.post("/charges", json=CHARGE, headers={"idempotency-key": "k"}).json()
    assert made["state"] == "processing"
    assert sandbox.get(f"/charges/{made['reference']}").json() == made
    assert sandbox.get("/charges", params={"key": "k"}).json() == made


def test_a_reused_key_is_a_conflict(sandbox: AppClient) -> None:
    sandbox.post("/charges", json=CHARGE, headers={"idempotency-key": "k"})
    other = CHARGE | {"amount_minor": 101}
    answer = sandbox.post("/charges", json=other, headers={"idempotency-key": "k"})
    assert answer.status_code == 409


@pytest.mark.parametrize("path", ["/charges/none", "/charges?key=none", "/charges"])
def test_an_unknown_charge_is_not_found(sandbox: AppClient, path: str) -> None:
    assert sandbox.get(path).status_code == 404


def test_it_is_ready_when_its_file_answers(sandbox: AppClient) -> None:
    assert sandbox.get("/readyz").json() == {"ready": True}


def test_webhooks_are_repeated_ever_more_slowly_up_to_ten_seconds() -> None:
    waits = [retry_delay_ms(tries) for tries in range(9)]
    assert waits == [100, 200, 400, 800, 1_600, 3_200, 6_400, 10_000, 10_000]
