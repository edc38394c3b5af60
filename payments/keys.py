"""Idempotency keys as a header can carry them.

A key is made of the tenant's name, which may be written in any script.
"""

import re
from hashlib import sha256

_CARRIED = re.compile(r"[ -~]{1,255}")
"""Printable ASCII, as long as Stripe takes it (docs.stripe.com/api/idempotent_requests)."""


def header_key(key: str) -> str:
    """The key itself, or in its place its digest, where a header cannot carry it."""
    return key if _CARRIED.fullmatch(key) else f"sha256-{sha256(key.encode()).hexdigest()}"
