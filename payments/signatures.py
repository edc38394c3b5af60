"""Signing and checking webhooks: HMAC-SHA256 over `timestamp.body`, in one header.

The header reads `t=<epoch seconds>,v1=<hex>`; several `v1` values are allowed, and several secrets
may be in force, so that a secret can be rotated without losing a webhook.
"""

import hmac
from collections.abc import Sequence
from hashlib import sha256

from schemas.errors import InvalidInput

HEADER = "countinghouse-signature"
WINDOW_MS = 5 * 60 * 1000
"""How far a webhook's time may lie from ours, before or after: an older one may be a replay."""


def sign(secret: str, body: bytes, at_ms: int) -> str:
    """The header's value for a body that is sent at an instant."""
    seconds = at_ms // 1000
    return f"t={seconds},v1={_digest(secret, seconds, body)}"


def verify(secrets: Sequence[str], header: str | None, body: bytes, now_ms: int) -> None:
    """Check that one of the secrets signed the body, and lately.

    Raises:
        InvalidInput: no signature, a wrong one, or a time outside the window.
    """
    if not header:
        raise InvalidInput(f"the webhook has no {HEADER} header")
    seconds, digests = _parse(header)
    check_age(seconds * 1000, now_ms)
    expected = [_digest(secret, seconds, body) for secret in secrets]
    matches = [hmac.compare_digest(ours, theirs) for ours in expected for theirs in digests]
    if not any(matches):
        raise InvalidInput("the webhook's signature is wrong: check the provider's webhook secret")


def check_age(sent_ms: int, now_ms: int) -> None:
    """Refuse what was sent more than five minutes before or after now.

    Raises:
        InvalidInput: with the distance and the likely cause.
    """
    distance_ms = now_ms - sent_ms
    if abs(distance_ms) > WINDOW_MS:
        side = "old" if distance_ms > 0 else "in the future"
        seconds = abs(distance_ms) // 1000
        raise InvalidInput(f"the webhook is {seconds} s {side}: a replay, or a clock is wrong")


def _digest(secret: str, seconds: int, body: bytes) -> str:
    return hmac.new(secret.encode(), b"%d." % seconds + body, sha256).hexdigest()


def _parse(header: str) -> tuple[int, list[str]]:
    pairs = [part.strip().partition("=") for part in header.split(",")]
    times = [value for name, _, value in pairs if name == "t"]
    digests = [value for name, _, value in pairs if name == "v1" and value.isascii()]
    if len(times) != 1 or not (times[0].isascii() and times[0].isdigit()) or len(times[0]) > 15:
        raise InvalidInput(f"the webhook's {HEADER} header is not of the form t=…,v1=…")
    return int(times[0]), digests
