"""Who may ask: one user, whose password is a token in a file that only its owner can read."""

import base64
import binascii
import hmac
import os
import secrets
from collections.abc import Mapping
from pathlib import Path

from countinghouse.local.front.errors import AUTHENTICATION_FAILED, ClickHouseError

USER = "countinghouse"


def ensure_token(path: Path) -> str:
    """The token in the file, made at the first start with mode 0600."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        # Written beside and renamed: a reader sees the whole token or no file.
        beside = path.with_name(f"{path.name}.{os.getpid()}")
        with os.fdopen(os.open(beside, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "w") as file:
            file.write(secrets.token_urlsafe(24) + "\n")
        beside.rename(path)
    return path.read_text().strip()


def authenticate(token: str, headers: Mapping[str, str], query: Mapping[str, str]) -> None:
    """Admit a request by Basic or Bearer authorization, ClickHouse's headers, or the URL.

    Raises:
        ClickHouseError: user or token is wrong.
    """
    user, password = _credentials(headers, query)
    known = hmac.compare_digest(password.encode(), token.encode())
    if not (known and user == USER):
        raise ClickHouseError.of(
            AUTHENTICATION_FAILED,
            f"{user}: Authentication failed: the user is {USER}, "
            "the password is in warehouse.token of the home folder.",
        )


def _credentials(headers: Mapping[str, str], query: Mapping[str, str]) -> tuple[str, str]:
    scheme, _, value = headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer":
        return USER, value
    if scheme.lower() == "basic":
        user, _, password = _decoded(value).partition(":")
        return user, password
    if "X-ClickHouse-User" in headers:
        return headers["X-ClickHouse-User"], headers.get("X-ClickHouse-Key", "")
    return query.get("user", "default"), query.get("password", "")


def _decoded(value: str) -> str:
    try:
        return base64.b64decode(value).decode()
    except (binascii.Error, UnicodeDecodeError):
        return ""
