"""Records, price lists and timelines for the counters' tests, in as few words as they need."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from pipelines.admission.admission import Admission
from schemas.catalog import Catalog
from schemas.entitlement import EntitlementEntry, Entitlements, MeterEntitlement, Threshold
from schemas.period import parse_instant
from schemas.quota import QuotaState, UsageAlert
from stores.kafka import KafkaAccess
from streams.counting.crossings import Crossing
from streams.counting.shard import Shard
from streams.journal.counters import CountersConfig

NOON = "2026-10-05T12:00:00Z"
NOON_MS = parse_instant(NOON)


class ARecord(NamedTuple):
    """A record as a consumer gives it."""

    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...] = ()


def a_catalog() -> Catalog:
    """Two meters; free: 100 units, stop at 100 %; pro: 1,000 units, stop at 150 %."""

    def plan(included: str, hard: int) -> dict[str, Any]:
        card = {"included": included, "hard_limit": hard}
        return {"base_fee": {"USD": "0"}, "meters": {"tokens": card}}

    return Catalog.model_validate(
        {
            "name": "llm",
            "currencies": ("USD",),
            "default_plan": "free",
            "meters": {
                "tokens": {"event_type": "llm", "aggregation": "sum", "value": ["n"]},
                "calls": {"event_type": "llm", "aggregation": "count"},
            },
            "plans": {"free": plan("100", 100), "pro": plan("1000", 150)},
        }
    )


def a_wide_catalog(*, anniversary: bool = False) -> Catalog:
    """Every kind of window and every meter that counters follow."""
    quotas = {"hour": {"limit": 10}, "day": {"limit": 30}, "week": {"limit": 60}}
    free = {
        "tokens": {"included": "100", "hard_limit": 100, "quotas": quotas},
        "peak": {"included": None, "quotas": {"day": {"limit": 8}}},
    }
    of_llm = {"event_type": "llm", "value": ["n"]}
    return Catalog.model_validate(
        {
            "name": "llm",
            "currencies": ("USD",),
            "default_plan": "free",
            "anniversary_billing": anniversary,
            "meters": {
                "tokens": {"aggregation": "sum", **of_llm},
                "peak": {"aggregation": "max", **of_llm},
                "level": {"aggregation": "latest", **of_llm},
                "seats": {"aggregation": "unique_count", "event_type": "seat", "value": ["user"]},
                "mean": {"aggregation": "avg", **of_llm},
            },
            "plans": {"free": {"base_fee": {"USD": "0"}, "meters": free}},
        }
    )


def a_config(folder: Path) -> CountersConfig:
    """Counters of a small price list, of a broker that nobody asks."""
    return CountersConfig(
        kafka=KafkaAccess("unused:9092"),
        epoch=1,
        catalog_version=1,
        catalog=a_catalog(),
        partitions=1,
        dedupe_window=10,
        max_age_ms=None,
        max_lead_ms=None,
        max_bytes=65_536,
        flush_interval_s=0.5,
        web_port=6066,
        data_dir=folder,
    )


def a_shard(
    window: int = 1000,
    epoch: int = 1,
    max_age_ms: int | None = None,
    catalog: Catalog | None = None,
) -> Shard:
    """A shard without any memory."""
    catalog = catalog or a_catalog()
    admission = Admission(catalog, max_age_ms, max_lead_ms=None, max_bytes=65_536)
    return Shard(
        catalog,
        admission,
        partition=0,
        dedupe_window=window,
        epoch=epoch,
        max_age_ms=max_age_ms,
    )


def an_event(id_: object, n: object, tenant: str = "acme", time: str = NOON) -> dict[str, Any]:
    """A CloudEvent of `n` tokens."""
    return {
        "specversion": "1.0",
        "id": str(id_),
        "source": "gateway",
        "type": "llm",
        "subject": tenant,
        "time": time,
        "data": {"n": n},
    }


def a_record(offset: int, *events: dict[str, Any], sent: bytes | None = None) -> ARecord:
    """One event, or an array of several, keyed by the first one's tenant."""
    value = json.dumps(events[0] if len(events) == 1 else events).encode()
    headers = () if sent is None else (("sent-at", sent),)
    return ARecord(offset, NOON_MS + offset, events[0]["subject"].encode(), value, headers)


def limits(pool: int, hard: int | None = None, *percents: int) -> MeterEntitlement:
    """A pool of whole units with thresholds and a hard limit in per cent."""
    steps = [Threshold(p, str(pool * p // 100)) for p in percents or (80, 100, 120)]
    stop = None if hard is None else Threshold(hard, str(pool * hard // 100))
    return MeterEntitlement(str(pool), tuple(steps), stop)


def entitled(
    version: int,
    terms: Mapping[str, MeterEntitlement],
    tenant: str = "acme",
    anchor_day: int = 1,
) -> Entitlements:
    """A timeline of tokens: what holds from which instant on."""
    entries = [
        EntitlementEntry(start, "plan", {"tokens": meter}, anchor_day=anchor_day)
        for start, meter in terms.items()
    ]
    return Entitlements(tenant, version, tuple(entries))


def told(crossings: Iterable[Crossing]) -> list[str]:
    """Crossings in a few words: kind, per cent, quantity, what was used."""
    return [
        f"alert {c.threshold_percent}% at {c.at}, used {c.used}"
        if isinstance(c, UsageAlert)
        else f"hard {c.threshold_percent}% at {c.limit}, used {c.used}"
        for c in crossings
    ]


def rows(pairs: Iterable[tuple[bytes, bytes | None]]) -> dict[tuple[str, str, str], QuotaState]:
    """Encoded rows by tenant, meter and month; the last one of a key holds."""
    last = dict(pairs)
    states = [msgspec.json.decode(value, type=QuotaState) for value in last.values() if value]
    return {(state.tenant, state.meter, state.window.start[:7]): state for state in states}


def windows(pairs: Iterable[tuple[bytes, bytes | None]]) -> dict[tuple[str, str, str], str]:
    """What encoded rows say was used, by meter, kind of window and its start."""
    last = dict(pairs)
    states = [msgspec.json.decode(value, type=QuotaState) for value in last.values() if value]
    return {(s.meter, s.window.kind, s.window.start): s.used for s in states}
