"""The price list of a chaos run, as plain data, and what it means read by nobody else's code.

Pools are small and thresholds many, so that every few seconds something is crossed. Quantities are
integers of 1e-6 units, as everywhere.
"""

from collections.abc import Sequence
from decimal import Decimal
from functools import cache
from typing import Any

import yaml

ALERTS = "usage.alerts"
EXCEEDED = "quota.exceeded"
MICRO = 10**6
LLM_REQUEST = "llm.request"
API_CALL = "api.call"
SEATS = "seats.changed"
UNMETERED = "audit.note"
"""An event type that no meter reads: it is stored and counts for nothing."""

DEFAULT_PLAN = "free"
PERCENTS = (
    *(1, 2, 5, 10, 20, 30, 50, 80, 100, 120, 150, 200, 300, 500, 800),
    *(1_200, 2_000, 3_000, 5_000, 7_500, 10_000),
)
POOLS: dict[str, dict[str, int | None]] = {
    "free": {"tokens": 100_000, "requests": 200, "calls": 150, "gigabytes": 20},
    "pro": {"tokens": 400_000, "requests": 500, "calls": 400, "gigabytes": 90},
    "enterprise": {"tokens": 2_000_000, "requests": 3_000, "calls": None, "gigabytes": 700},
}
"""What each plan includes, in units; None is unlimited."""

SOFT_PERCENT: dict[str, int | None] = {"free": None, "pro": 120, "enterprise": 110}
HARD_PERCENT: dict[str, int | None] = {"free": 100, "pro": 150, "enterprise": None}
GRACE: dict[str, str | None] = {"free": "10%", "pro": "24h", "enterprise": None}

METERS: dict[str, dict[str, Any]] = {
    "tokens": {
        "event_type": LLM_REQUEST,
        "aggregation": "sum",
        "value": ["input_tokens", "output_tokens"],
        "dimensions": ["model"],
    },
    "input_tokens": {"event_type": LLM_REQUEST, "aggregation": "sum", "value": ["input_tokens"]},
    "requests": {"event_type": LLM_REQUEST, "aggregation": "count"},
    "largest": {"event_type": LLM_REQUEST, "aggregation": "max", "value": ["output_tokens"]},
    "users": {"event_type": LLM_REQUEST, "aggregation": "unique_count", "value": ["user"]},
    "calls": {"event_type": API_CALL, "aggregation": "count"},
    "gigabytes": {"event_type": API_CALL, "aggregation": "sum", "value": ["gigabytes"]},
    "seats": {"event_type": SEATS, "aggregation": "latest", "value": ["seats"]},
}


def _quota(limit: int, enforcement: str = "hard", grace: str = "") -> dict[str, Any]:
    quota = {"limit": limit, "enforcement": enforcement, "thresholds": [25, 50, 80, 100, 200, 400]}
    return quota | ({"grace": grace} if grace else {})


QUOTAS: dict[str, dict[str, dict[str, dict[str, Any]]]] = {
    "free": {
        "tokens": {"hour": _quota(60_000)},
        "calls": {"day": _quota(120, "soft")},
        "largest": {"hour": _quota(800), "billing_period": _quota(850, "soft")},
        "users": {"day": _quota(30, grace="10%")},
        "seats": {"billing_period": _quota(40)},
    },
    "pro": {
        "tokens": {"hour": _quota(200_000, grace="60m"), "day": _quota(300_000, "soft")},
        "users": {"day": _quota(80), "billing_period": _quota(500, "soft")},
    },
    "enterprise": {
        "requests": {"week": _quota(1_500)},
        "seats": {"billing_period": _quota(90, "soft")},
    },
}
"""Limits of other windows: by plan, meter and kind of window."""


def price_list() -> str:
    """The price list as a file that `catalog apply` reads."""
    return yaml.safe_dump(
        {
            "name": "chaos",
            "currencies": ["USD"],
            "default_plan": DEFAULT_PLAN,
            "meters": METERS,
            "plans": {plan: _plan(plan) for plan in POOLS},
        },
        sort_keys=False,
    )


def _plan(plan: str) -> dict[str, Any]:
    meters = dict.fromkeys([*POOLS[plan], *QUOTAS[plan]])
    return {
        "base_fee": {"USD": "0.00"},
        "meters": {name: _rate_card(plan, name) for name in meters},
    }


def _rate_card(plan: str, meter: str) -> dict[str, Any]:
    pool, quotas = POOLS[plan].get(meter), QUOTAS[plan].get(meter, {})
    if pool is None:
        return {"included": "unlimited", "quotas": quotas}
    card = {
        "included": pool,
        "thresholds": list(PERCENTS),
        "soft_limit": SOFT_PERCENT[plan],
        "hard_limit": HARD_PERCENT[plan],
        "grace": GRACE[plan],
        "quotas": quotas,
    }
    return {name: value for name, value in card.items() if value is not None}


def windows(meter: str) -> tuple[str, ...]:
    """The kinds of windows that a meter is counted in: those that any plan names."""
    kinds = {kind for quotas in QUOTAS.values() for kind in quotas.get(meter, ())}
    return ("billing_period", *sorted(kinds - {"billing_period"}))


def micro(text: str) -> int:
    """Decimal text as 1e-6 units."""
    return int(Decimal(text).scaleb(6))


def values(event_type: str, data: dict[str, int]) -> dict[str, int]:
    """What each meter makes of an event; `data` holds quantities in 1e-6 units."""
    if event_type == LLM_REQUEST:
        given, made = data["input_tokens"], data["output_tokens"]
        counted = {"tokens": given + made, "input_tokens": given, "requests": MICRO}
        return counted | {"largest": made}
    if event_type == API_CALL:
        return {"calls": MICRO, "gigabytes": data["gigabytes"]}
    return {"seats": data["seats"]} if event_type == SEATS else {}


Step = tuple[int, int, str]
"""A quantity (1e-6 units) at which something is announced, its per cent, and on which topic."""


@cache
def steps(plan: str, meter: str, kind: str) -> tuple[Step, ...]:
    """The steps of a whole window under a plan, rising; what coincides is one fact."""
    pool = POOLS[plan].get(meter) if kind == "billing_period" else None
    quota = QUOTAS[plan].get(meter, {}).get(kind)
    if pool is not None:
        soft, hard = SOFT_PERCENT[plan], HARD_PERCENT[plan]
        return _steps(pool, PERCENTS, [(soft, ALERTS), (hard, EXCEEDED)])
    if quota is not None:
        limit = (100, EXCEEDED if quota["enforcement"] == "hard" else ALERTS)
        return _steps(quota["limit"], quota["thresholds"], [limit])
    return ()


def _steps(
    whole: int, percents: Sequence[int], limits: Sequence[tuple[int | None, str]]
) -> tuple[Step, ...]:
    wanted = [*((percent, ALERTS) for percent in percents), *limits]
    found = {(whole * MICRO * p // 100, p, topic) for p, topic in wanted if p is not None}
    return tuple(sorted(found))
