"""What `quota.state` says against tenants, by tenant and meter: the pure part of a gate.

Owns which rows matter and what they decide at an instant. It reads no topic.
"""

import time
from typing import NamedTuple

import msgspec

from schemas.period import parse_instant
from schemas.quota import Decision

LATE_CLOCK_MS = 3_600_000
"""A window is forgotten this long after its end, lest a clock that steps back opens a gate."""

NEVER_MS = 1 << 62


class _Window(msgspec.Struct):
    start: str


class _Row(msgspec.Struct):
    """What a gate reads of `schemas.quota.QuotaState`."""

    tenant: str
    meter: str
    window: _Window
    decision: Decision
    resets_at: str
    deny_from: str | None = None


class Objection(NamedTuple):
    """What speaks against a tenant during `[start_ms, end_ms)`: a denial from `deny_ms` on, a
    warning before. `key` is its row's."""

    key: bytes
    start_ms: int
    end_ms: int
    deny_ms: int


_decode_row = msgspec.json.Decoder(_Row).decode
_decode_key = msgspec.json.Decoder(tuple[str, str, str, str]).decode


class Objections:
    """All that speaks against tenants, by tenant and meter. One thread applies, any may decide."""

    def __init__(self) -> None:
        self._against: dict[tuple[str, str], tuple[Objection, ...]] = {}

    def __len__(self) -> int:
        return len(self._against)

    def decide(self, tenant: str, meter: str, now_ms: int | None = None) -> Decision:
        """The strictest answer of all windows that run at `now_ms`, by this machine's clock unless
        given. Neither a window that has ended nor a meter without a limit denies anything."""
        against = self._against.get((tenant, meter))
        if against is None:
            return "allow"
        now = time.time_ns() // 1_000_000 if now_ms is None else now_ms
        decision: Decision = "allow"
        for _, start_ms, end_ms, deny_ms in against:
            if start_ms <= now < end_ms:
                if now >= deny_ms:
                    return "deny"
                decision = "warn"
        return decision

    def apply(self, key: bytes, value: bytes | None, now_ms: int) -> None:
        """Take over a row; one that allows, or without a value, withdraws what was said before.

        Raises:
            msgspec.DecodeError, ValueError: it is no row.
        """
        row = None if value is None else _decode_row(value)
        tenant, meter = (row.tenant, row.meter) if row else _decode_key(key)[:2]
        held = self._against.get((tenant, meter), ())
        if not held and (row is None or row.decision == "allow"):
            return
        kept = [it for it in held if it.key != key and it.end_ms + LATE_CLOCK_MS > now_ms]
        if row is not None and row.decision != "allow":
            kept.append(_objection(key, row))
        if kept:
            self._against[tenant, meter] = tuple(kept)
        else:
            self._against.pop((tenant, meter), None)


def _objection(key: bytes, row: _Row) -> Objection:
    deny_ms = NEVER_MS
    if row.decision == "deny":
        deny_ms = 0 if row.deny_from is None else parse_instant(row.deny_from)
    return Objection(key, parse_instant(row.window.start), parse_instant(row.resets_at), deny_ms)
