"""A receiver of webhooks: posts a signed fact, once a call.

Owns the request and what an answer means. Whether and when it is tried again is the matter of
`notices`.
"""

import hashlib
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

import aiohttp
import msgspec

from pipelines.standard_webhooks import Signer
from schemas.errors import InvalidInput
from schemas.period import format_instant
from streams.notices.facts import Delivered, Fact, Failed, Outcome, Refused

UNWANTED = frozenset({400, 410, 413, 415, 422})
"""Answers that say that this very fact will never be taken. Others, such as 401 or 404, are faults
of a set-up that somebody repairs; they are tried again as a 500 is."""

LONGEST_RETRY_AFTER_S = 3600
AGENT = "countinghouse-webhooks"


@dataclass(frozen=True, slots=True, kw_only=True)
class NotifyConfig:
    """Who is told of crossings. A fact that a receiver does not take within `patience_s` of its
    announcement is given up; `timeout_s` is one request's. No URL: crossings are only logged.
    """

    urls: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()
    patience_s: float = 86_400
    timeout_s: float = 15


def message_of(fact: Fact) -> tuple[str, bytes]:
    """Id and body of a fact's webhook; equal for every attempt.

    The id holds the kind: an alert and a hard limit at the same quantity are two facts of one id.
    """
    body = msgspec.json.encode(
        {
            "type": fact.kind,
            "timestamp": format_instant(fact.announced_ms),
            "data": msgspec.Raw(fact.value),
        }
    )
    return f"{fact.kind.replace('.', '_')}_{fact.id}", body


class WebhookReceiver:
    """One URL. Its name is shown: it has neither a password nor what follows a question mark."""

    def __init__(
        self,
        url: str,
        signer: Signer,
        timeout_s: float,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Raises InvalidInput: the URL is not http or https with a host."""
        parts = _parts(url)
        self.name = f"{parts[0]}://{parts[1]}{parts[2]}"
        self.group = "webhooks-" + hashlib.blake2b(url.encode(), digest_size=6).hexdigest()
        self._url = url
        self._signer = signer
        self._timeout = aiohttp.ClientTimeout(total=timeout_s)
        self._clock = clock
        self._session: aiohttp.ClientSession | None = None

    async def take(self, fact: Fact) -> Outcome:
        """Post the fact; any failure of network or receiver is an outcome."""
        message_id, body = message_of(fact)
        headers = self._signer.headers(message_id, int(self._clock()), body)
        try:
            async with self._opened().post(
                self._url, data=body, headers=headers, allow_redirects=False
            ) as answer:
                return outcome_of(answer.status, answer.headers)
        except TimeoutError:
            return Failed(f"no answer within {self._timeout.total:g} s")
        except (aiohttp.ClientError, OSError) as failure:
            return Failed(_reason(failure))

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            headers = {"content-type": "application/json", "user-agent": AGENT}
            self._session = aiohttp.ClientSession(headers=headers, timeout=self._timeout)
        return self._session

    async def close(self) -> None:
        """Drop connections; a request under way fails."""
        if self._session is not None:
            await self._session.close()


def outcome_of(status: int, headers: Mapping[str, str]) -> Outcome:
    """What an answer means: only 2xx is taken, a redirection is not followed."""
    if 200 <= status < 300:
        return Delivered()
    if status in UNWANTED:
        return Refused(f"HTTP {status}")
    after = headers.get("Retry-After", "")
    after_s = min(int(after), LONGEST_RETRY_AFTER_S) if after.isdecimal() else None
    return Failed(f"HTTP {status}", after_s)


def _reason(failure: Exception) -> str:
    """What went wrong; of a connection that failed, the system's own words."""
    said = failure.strerror if isinstance(failure, OSError) else None
    return said or str(failure) or type(failure).__name__


def receivers(config: NotifyConfig) -> list[WebhookReceiver]:
    """A receiver for each URL; those that differ in nothing that is shown are numbered.

    Raises:
        InvalidInput: a URL or a secret is wrong, or there is no secret.
    """
    if not config.urls:
        return []
    signer = Signer(config.secrets)
    made = [WebhookReceiver(url, signer, config.timeout_s) for url in dict.fromkeys(config.urls)]
    _number(made)
    return made


def _number(made: Sequence[WebhookReceiver]) -> None:
    """Figures and lines of the log are told by name: two of one name would hide each other."""
    known: Counter[str] = Counter()
    for receiver in made:
        known[name := receiver.name] += 1
        if known[name] > 1:
            receiver.name = f"{name} ({known[name]})"


def _parts(url: str) -> tuple[str, str, str]:
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if not host or parts.scheme not in ("http", "https"):
        raise InvalidInput(
            f"COUNTINGHOUSE_NOTIFY_URLS: {url!r} is not like https://host/path "
            "(several are separated by spaces)"
        )
    return parts.scheme, host if port is None else f"{host}:{port}", parts.path
