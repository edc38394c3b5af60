"""Reference pages made from the code, so that they cannot disagree with it: `make docs`.

Owns docs/topics.md, docs/asyncapi.yaml, docs/metrics.md and docs/demo-report.md; docs/settings.md
is in `settings_page`. A test says when one is stale.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import yaml

from countinghouse.demo.report import Report
from countinghouse.settings_page import settings_page
from schemas.entitlement import Entitlements
from schemas.event import UsageEvent
from schemas.metrics import Metric, Process, of_process
from schemas.quota import QuotaExceeded, QuotaState, UsageAlert
from schemas.topics import (
    ENTITLEMENTS,
    QUOTA_EXCEEDED,
    QUOTA_STATE,
    SENT_AT_HEADER,
    TOPICS,
    USAGE_ALERTS,
    USAGE_EVENTS,
    Topic,
)

DOCS = Path(__file__).parent.parent / "docs"

_STRUCTS: dict[str, Any] = {
    ENTITLEMENTS: Entitlements,
    USAGE_ALERTS: UsageAlert,
    QUOTA_EXCEEDED: QuotaExceeded,
    QUOTA_STATE: QuotaState,
}

_TOPICS_HEAD = f"""# The topics

Generated from `schemas/topics.py` by `make docs`. The same in AsyncAPI 3: `asyncapi.yaml`.

A record's key decides its partition by murmur2, as in Java clients; with librdkafka set
`partitioner=murmur2_random` (our client does). Topics marked *co-partitioned* have the same number
of partitions, so everything about a tenant is on one partition number. Read `quota.*`,
`usage.alerts` and `usage.rejected` with `isolation.level=read_committed` to see each fact exactly
once. Partitions are never added to a live topic. The header `{SENT_AT_HEADER}` of `usage.events`
carries the producer's send time in epoch milliseconds; a record's timestamp is the time at which
it arrived at the broker.
How to send usage, and what is rejected and why: `events.md`.

"""


def topics_page() -> str:
    """docs/topics.md."""
    rows = ["| Topic | Key | Value | Kind | Written by |", "| --- | --- | --- | --- | --- |"]
    rows += [f"| `{t.name}` | {t.key} | {t.value} | {_kind(t)} | {t.writer} |" for t in TOPICS]
    meanings = [f"* `{t.name}`: {t.meaning}" for t in TOPICS]
    examples = [_fields(topic, struct) for topic, struct in _STRUCTS.items()]
    return _TOPICS_HEAD + "\n".join([*rows, "", *meanings, "", *examples])


def _kind(topic: Topic) -> str:
    kept = "" if topic.retention_days is None else f", {topic.retention_days} days"
    return topic.kind + kept + (", co-partitioned" if topic.co_partitioned else "")


def _fields(topic: str, struct: Any) -> str:
    doc = (struct.__doc__ or "").strip().split("\n\n")
    tag = struct.__struct_config__.tag_field
    names = [*filter(None, [tag]), *(each.encode_name for each in msgspec.structs.fields(struct))]
    fields = ", ".join(f"`{name}`" for name in names)
    return (
        f"## `{topic}`\n\n" + "\n\n".join(doc).replace("\n    ", "\n") + f"\n\nFields: {fields}.\n"
    )


def asyncapi() -> str:
    """docs/asyncapi.yaml."""
    structs, components = msgspec.json.schema_components(
        list(_STRUCTS.values()), ref_template="#/components/schemas/{name}"
    )
    payloads = dict(zip(_STRUCTS, structs, strict=True))
    payloads[USAGE_EVENTS] = {"$ref": "#/components/schemas/UsageEvent"}
    document = {
        "asyncapi": "3.0.0",
        "info": {"title": "countinghouse", "version": "1", "license": {"name": "Apache-2.0"}},
        "channels": {_slug(t): _channel(t, payloads.get(t.name)) for t in TOPICS},
        "operations": {
            f"{_action(t)}-{_slug(t)}": {
                "action": _action(t),
                "channel": {"$ref": f"#/channels/{_slug(t)}"},
            }
            for t in TOPICS
        },
        "components": {"schemas": components | {"UsageEvent": UsageEvent.model_json_schema()}},
    }
    text: str = yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=100)
    return text


def _action(topic: Topic) -> str:
    """What countinghouse itself does with the topic, as AsyncAPI 3 wants it."""
    return "receive" if topic.name == USAGE_EVENTS else "send"


def _slug(topic: Topic) -> str:
    return topic.name.replace(".", "-")


def _channel(topic: Topic, payload: Any) -> dict[str, Any]:
    message: dict[str, Any] = {"summary": topic.value, "contentType": "application/json"}
    if payload is not None:
        message["payload"] = payload
    return {
        "address": topic.name,
        "description": topic.meaning,
        "messages": {"record": message},
        "bindings": {"kafka": {"topic": topic.name, "topicConfiguration": topic.config()}},
    }


_METRICS_HEAD = """# The metrics

Generated from `schemas/metrics.py` by `make docs`; a test checks that each process serves these.

Each of these processes serves Prometheus' text format at `/metrics` on its port (`countinghouse
status` shows the ports and the main figures). It also serves `/readyz`, which answers 200 while the
process makes progress or has nothing to do, and otherwise 503 with the reason. A webhook receiver
that is down does not make a worker unready. Counters begin at 0 when the process starts; no metric
has a tenant as a label. No metric counts ids that came again with other content: ask ClickHouse's
view `conflicts`.

"""

_PROCESSES: dict[Process, str] = {
    "counters": "Counters, port `COUNTINGHOUSE_COUNTERS_PORT`, webhooks included",
    "landing": "Landing, port `COUNTINGHOUSE_LANDING_PORT`",
    "relay": "Relay, port `COUNTINGHOUSE_RELAY_PORT`",
    "api": "API, port `COUNTINGHOUSE_API_PORT`",
}


def metrics_page() -> str:
    """docs/metrics.md."""
    sections = [_metric_table(title, of_process(name)) for name, title in _PROCESSES.items()]
    return _METRICS_HEAD + "\n".join(sections)


def _metric_table(title: str, metrics: Sequence[Metric]) -> str:
    rows = [
        f"| `{m.sample}` | {m.kind} | {', '.join(f'`{label}`' for label in m.labels)} "
        f"| {m.meaning} | {m.act} |"
        for m in metrics
    ]
    head = [
        "| Name | Kind | Labels | Meaning | When to act, and how |",
        "| --- | --- | --- | --- | --- |",
    ]
    return "\n".join([f"## {title}", "", *head, *rows, ""])


def report_page() -> str:
    """docs/demo-report.md."""
    schema = Report.model_json_schema()
    parts = [("Report", schema), *schema["$defs"].items()]
    tables = [_model_table(name, body) for name, body in parts]
    head = (
        "# The demo's report\n\nWhat `countinghouse demo --report FILE.json` writes; generated "
        "from `countinghouse/demo/report.py` by `make docs`.\n\n"
    )
    return head + "\n".join(tables)


def _model_table(name: str, body: dict[str, Any]) -> str:
    rows = [
        f"| `{field}` | {_type_name(spec)} | {spec.get('description', '')} |"
        for field, spec in body["properties"].items()
    ]
    table = "\n".join(["| Field | Type | |", "| --- | --- | --- |", *rows])
    return f"## {name}\n\n{body.get('description', '')}\n\n{table}\n"


def _type_name(spec: dict[str, Any]) -> str:
    if "$ref" in spec:
        return str(spec["$ref"]).rsplit("/", 1)[-1]
    if "anyOf" in spec:
        return " or ".join(_type_name(option) for option in spec["anyOf"])
    if spec.get("type") == "array":
        return f"list of {_type_name(spec['items'])}"
    if spec.get("type") == "object":
        return f"map to {_type_name(spec['additionalProperties'])}"
    return str(spec["type"])


PAGES = {
    "topics.md": topics_page,
    "asyncapi.yaml": asyncapi,
    "metrics.md": metrics_page,
    "settings.md": settings_page,
    "demo-report.md": report_page,
}


def write() -> None:
    """Write all pages."""
    for name, page in PAGES.items():
        (DOCS / name).write_text(page())


if __name__ == "__main__":
    write()
