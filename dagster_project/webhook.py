"""Telling a person's system of what needs a person: one signed POST, as docs/webhooks.md says.

Owns the body and what an answer means; when it is sent again is the sensors' matter.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass

import httpx
import msgspec

from dagster_project.environment import Environment
from pipelines.standard_webhooks import Signer
from schemas.errors import DependencyUnreachable, InvalidInput
from schemas.period import format_instant

TIMEOUT_SECONDS = 10
AGENT = "countinghouse-webhooks"


@dataclass(frozen=True, slots=True)
class Alert:
    """What is told. `id` follows from the fact alone, so that a repeat is known as one."""

    id: str
    kind: str
    at_ms: int
    data: Mapping[str, str]


def post(alert: Alert) -> None:
    """Post it to COUNTINGHOUSE_ALERT_URL.

    Raises:
        InvalidInput: the URL or the secret is wrong.
        DependencyUnreachable: it was not taken; send it again.
    """
    environment = Environment()
    url, secrets = environment.alert_url, environment.notify_secret.split()
    body = msgspec.json.encode(
        {"type": alert.kind, "timestamp": format_instant(alert.at_ms), "data": alert.data}
    )
    headers = {"content-type": "application/json", "user-agent": AGENT}
    headers |= Signer(secrets).headers(alert.id, time.time_ns() // 1_000_000_000, body)
    try:
        with httpx.Client(timeout=TIMEOUT_SECONDS, trust_env=False) as client:
            status = client.post(url, content=body, headers=headers).status_code
    except (httpx.UnsupportedProtocol, httpx.InvalidURL, httpx.LocalProtocolError):
        raise InvalidInput("COUNTINGHOUSE_ALERT_URL is not like https://host/path") from None
    except httpx.HTTPError as failure:
        raise DependencyUnreachable(f"alert {alert.id} was not taken: {failure}") from failure

    if not 200 <= status < 300:
        raise DependencyUnreachable(f"alert {alert.id} was not taken: HTTP {status}")
