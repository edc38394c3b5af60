"""Standard Webhooks 1.0.0: the three headers that prove who sent a body, and that it is recent.

Owns the secret's form and the signature; who is told what, and how often, is the caller's.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Sequence

from schemas.errors import InvalidInput

SECRET_PREFIX = "whsec_"  # noqa: S105  says that a secret follows
SECRET_BYTES = range(24, 65)


class Signer:
    """Signs with one secret, or with the new and the old one while receivers change over."""

    def __init__(self, secrets: Sequence[str]) -> None:
        """Raises InvalidInput: there is no secret, or one that is not `whsec_` and base64."""
        if not secrets:
            raise InvalidInput("a webhook needs a COUNTINGHOUSE_NOTIFY_SECRET to be signed with")
        self._keys = [_key(secret) for secret in secrets]

    def headers(self, message_id: str, at_s: int, body: bytes) -> dict[str, str]:
        """The three headers of an attempt at an instant (Unix seconds)."""
        signed = f"{message_id}.{at_s}.".encode() + body
        digests = [hmac.digest(key, signed, hashlib.sha256) for key in self._keys]
        return {
            "webhook-id": message_id,
            "webhook-timestamp": str(at_s),
            "webhook-signature": " ".join(f"v1,{base64.b64encode(it).decode()}" for it in digests),
        }


def _key(secret: str) -> bytes:
    try:
        key = base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
    except binascii.Error:
        key = b""
    if not secret.startswith(SECRET_PREFIX) or len(key) not in SECRET_BYTES:
        raise InvalidInput(
            "COUNTINGHOUSE_NOTIFY_SECRET must be whsec_ and the base64 of 24 to 64 random bytes: "
            'make one with `echo "whsec_$(openssl rand -base64 32)"`'
        )
    return key
