"""Which usage is admitted, and what is said of the rest."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from pipelines.admission.admission import Admission
from schemas.catalog import Catalog
from schemas.event import CloudEvent, Event, Rejection, UsageEvent, parse_time
from schemas.period import parse_instant

CATALOG = Catalog.model_validate(
    {
        "name": "llm",
        "currencies": ("USD",),
        "default_plan": "free",
        "meters": {
            "tokens": {
                "event_type": "llm.request",
                "aggregation": "sum",
                "value": ["input_tokens", "output_tokens"],
            },
            "requests": {"event_type": "llm.request", "aggregation": "count"},
        },
        "plans": {"free": {"base_fee": {"USD": "0"}, "meters": {"tokens": {"included": "1"}}}},
    }
)
NOON = "2026-10-01T12:00:00Z"
HOUR_MS = 3_600_000
HOME = 4
"""acme's partition of eight."""


def an_event(**changes: Any) -> dict[str, Any]:
    event = {
        "specversion": "1.0",
        "id": "1",
        "source": "gateway",
        "type": "llm.request",
        "subject": "acme",
        "time": NOON,
        "data": {"model": "m", "input_tokens": 3, "output_tokens": 4},
    }
    return {name: value for name, value in (event | changes).items() if value is not None}


def admitted(*elements: Any, key: bytes | None = b"acme", arrived: str = NOON) -> list[Any]:
    admission = Admission(CATALOG, max_age_ms=24 * HOUR_MS, max_lead_ms=HOUR_MS, max_bytes=500)
    value = json.dumps(elements[0] if len(elements) == 1 else elements).encode()
    return list(admission.admit(key, value, parse_instant(arrived)))


def test_an_event_is_read_by_every_meter_of_its_type() -> None:
    [event] = admitted(an_event())
    assert isinstance(event, Event)
    assert event.values == ((0, 7_000_000), (1, 1_000_000))
    assert event.time_ms == parse_instant(NOON)


def test_an_event_that_no_meter_reads_is_kept_without_values() -> None:
    [event] = admitted(an_event(type="image.request", data={"pixels": 1}))
    assert isinstance(event, Event)
    assert event.values == ()


def test_each_element_of_an_array_is_judged_by_itself() -> None:
    good, bad, late = admitted(
        an_event(id="1"), an_event(id="2", data={}), an_event(id="3", time="2026-09-01T00:00:00Z")
    )
    assert (good.id, good.item) == ("1", 0)
    assert (bad.reason, bad.item) == ("invalid_value", 1)
    assert (late.reason, late.item) == ("too_old", 2)
    assert json.loads(bad.element)["id"] == "2"


@pytest.mark.parametrize(
    ("element", "reason"),
    [
        (an_event(id=None), "not_an_event"),
        (an_event(id=""), "not_an_event"),
        (an_event(specversion="0.3"), "not_an_event"),
        (an_event(data=[1]), "not_an_event"),
        (an_event(subject="other"), "key_mismatch"),
        (an_event(time="yesterday"), "invalid_time"),
        (an_event(time="2026-10-01T12:00:00"), "invalid_time"),
        (an_event(time="2026-10-01T13:00:00.001Z"), "in_future"),
        (an_event(time="2026-09-30T11:59:59.999Z"), "too_old"),
        (an_event(data={"input_tokens": 1}), "invalid_value"),
        (an_event(data={"input_tokens": 1, "output_tokens": True}), "invalid_value"),
        (an_event(data={"input_tokens": 1, "output_tokens": 1e-7}), "invalid_value"),
        (an_event(data={"input_tokens": 1, "output_tokens": 1e12}), "invalid_value"),
        (an_event(data={"input_tokens": 1, "output_tokens": "NaN"}), "invalid_value"),
        (an_event(source="s" * 400, type="t" * 200), "too_large"),
        ([], "empty"),
        (7, "not_an_event"),
    ],
)
def test_bad_input_is_a_value_with_its_reason(element: Any, reason: str) -> None:
    [rejection] = admitted(element)
    assert isinstance(rejection, Rejection)
    assert rejection.reason == reason


@pytest.mark.parametrize("value", [b"", None])
def test_a_record_without_value_is_rejected(value: bytes | None) -> None:
    [rejection] = Admission(CATALOG, None, None, 500).admit(b"acme", value, 0)
    assert isinstance(rejection, Rejection)
    assert rejection.reason == "empty"


@pytest.mark.parametrize("value", [b"{", b"[{]", b'{"id": "\xff"}', b"\x00\x01"])
def test_bytes_that_are_not_json_are_rejected(value: bytes) -> None:
    [rejection] = Admission(CATALOG, None, None, 500).admit(b"acme", value, 0)
    assert isinstance(rejection, Rejection)
    assert (rejection.reason, rejection.element) == ("not_json", value)


@pytest.mark.parametrize(
    "value",
    [
        b"[" * 400,
        b"[" * 50_000,
        json.dumps(an_event()).encode().replace(b'"m"', b"[" * 80 + b"]" * 80),
        json.dumps([an_event()]).encode().replace(b'"m"', b"[" * 65 + b"]" * 65),
    ],
)
def test_nesting_without_end_is_rejected_by_a_bound_of_our_own(value: bytes) -> None:
    [rejection] = Admission(CATALOG, None, None, 100_000).admit(b"acme", value, 0)
    assert isinstance(rejection, Rejection)
    assert "nested deeper" in rejection.detail


def test_an_element_that_nests_too_deep_does_not_cost_its_neighbours_their_place() -> None:
    three = json.dumps([an_event(), "here", an_event()]).encode()
    deep = b"[" * 5000 + b"]" * 5000
    value = three.replace(b'"here"', deep)
    first, second, third = Admission(CATALOG, None, None, 100_000).admit(b"acme", value, 0)
    assert isinstance(second, Rejection)
    assert (second.item, second.reason, second.element) == (1, "not_an_event", deep)
    assert [type(first), type(third)] == [Event, Event]


def test_many_brackets_side_by_side_or_in_a_text_are_not_deep() -> None:
    data = {"input_tokens": 1, "output_tokens": 1, "many": [[]] * 100, "text": '["{' * 100}
    [event] = Admission(CATALOG, None, None, 100_000).admit(
        b"acme", json.dumps(an_event(data=data)).encode(), 0
    )
    assert isinstance(event, Event)


def test_an_array_of_many_events_is_not_deep() -> None:
    assert all(isinstance(event, Event) for event in admitted(*[an_event()] * 100))


def test_a_record_without_key_is_rejected() -> None:
    [rejection] = admitted(an_event(), key=None)
    assert rejection.reason == "key_missing"


@pytest.mark.parametrize("count", [1, 3])
def test_usage_on_another_partition_than_its_tenant_s_is_rejected(count: int) -> None:
    # toPositive(murmur2("acme")) % 8 of Kafka's Java client is 4
    admission = Admission(CATALOG, None, None, 500, partitions=8)
    value = json.dumps([an_event(id=str(n)) for n in range(count)]).encode()
    for partition in range(8):
        found = admission.admit(b"acme", value, 0, partition)
        assert {getattr(one, "reason", None) for one in found} == {
            None if partition == HOME else "wrong_partition"
        }
        together = admission.admit_all([b"acme"], [value], [0], [partition])
        assert (together is not None) == (partition == HOME)
    assert isinstance(found[0], Rejection)
    assert "belongs on partition 4 of 8, not on 7" in found[0].detail


def test_a_long_key_is_not_told_of_for_each_element() -> None:
    key = b"\0" * 100_000
    value = json.dumps([an_event(id=str(n)) for n in range(100)]).encode()
    found = Admission(CATALOG, None, None, 500, partitions=8).admit(key, value, 0, 0)
    assert {one.reason for one in found if isinstance(one, Rejection)} == {"key_mismatch"}
    assert sum(len(one.detail) for one in found if isinstance(one, Rejection)) < 100_000


@pytest.mark.parametrize(
    ("key", "told"),
    [
        (b"m-small-027", "the key 'm-small-027' is not the subject 'acme'"),
        ("té".encode(), "the key 'té' is not the subject 'acme'"),
        (b"\xff", "the key b'\\xff' is not the subject 'acme'"),
        ("é".encode()[:1], "the key b'\\xc3' is not the subject 'acme'"),
        (b"x" + "é".encode() * 60, f"the key 'x{'é' * 49}'… is not the subject 'acme'"),
    ],
)
def test_a_key_is_told_as_text_where_it_is_text(key: bytes, told: str) -> None:
    [rejection] = admitted(an_event(), key=key)
    assert rejection.detail == told


def test_an_array_of_crumbs_is_rejected_as_a_whole() -> None:
    value = b"[" + b"0," * 499_999 + b"0]"
    [rejection] = Admission(CATALOG, None, None, 500).admit(b"acme", value, 0)
    assert isinstance(rejection, Rejection)
    assert (rejection.item, rejection.reason, rejection.element) == (0, "not_an_event", value)
    assert rejection.detail.startswith("500000 elements in 1000001 bytes")


def test_a_few_crumbs_do_not_cost_their_neighbour_its_place() -> None:
    *crumbs, event = admitted(*[0] * 999, an_event())
    assert isinstance(event, Event)
    assert {crumb.reason for crumb in crumbs} == {"not_an_event"}


def test_an_array_may_be_longer_than_an_event() -> None:
    events = [an_event(id=str(n)) for n in range(100)]
    value = json.dumps(events).encode()
    assert len(value) > 500
    together = Admission(CATALOG, None, None, 500).admit_all([b"acme"], [value], [0], [0])
    assert together is not None  # quickly
    assert together[1] == [100]
    [*others, large] = admitted(*events, an_event(source="s" * 400, type="t" * 200))
    assert all(isinstance(event, Event) for event in others)
    assert large.reason == "too_large"


def test_the_limits_of_event_time_are_inclusive() -> None:
    [oldest] = admitted(an_event(time="2026-09-30T12:00:00Z"))
    [newest] = admitted(an_event(time="2026-10-01T13:00:00Z"))
    assert isinstance(oldest, Event)
    assert isinstance(newest, Event)


def test_numbers_are_read_as_text_so_a_tenth_is_a_tenth() -> None:
    [event] = admitted(an_event(data={"input_tokens": 0.1, "output_tokens": 0.2}))
    assert event.values[0] == (0, 300_000)


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2026-10-31T23:59:59.9999999Z", "2026-10-31T23:59:59.999+00:00"),
        ("2026-10-01T02:00:00+02:00", "2026-10-01T00:00:00+00:00"),
        ("2026-10-01T00:00:00.0009Z", "2026-10-01T00:00:00+00:00"),
    ],
)
def test_event_time_is_cut_to_milliseconds_never_rounded_into_another_month(
    text: str, instant: str
) -> None:
    assert parse_time(msgspec.json.encode(text)) == parse_instant(instant)


_VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.text(max_size=4),
    st.dictionaries(st.text(), st.none()),
)
_FIELDS = st.sampled_from(["specversion", "id", "source", "type", "subject", "time", "data"])


@given(st.dictionaries(_FIELDS, st.one_of(_VALUES, st.just("x" * 201), st.just("2026-10-01"))))
def test_the_public_schema_and_the_hot_path_accept_and_refuse_the_same(
    changes: dict[str, Any],
) -> None:
    event = an_event() | changes
    text = json.dumps(event).encode()
    assert _pydantic_accepts(text) == _hot_path_accepts(text)


@pytest.mark.parametrize(
    "missing", ["specversion", "id", "source", "type", "subject", "time", "data"]
)
def test_both_schemas_require_the_same_attributes(missing: str) -> None:
    text = json.dumps(an_event(**{missing: None})).encode()
    assert not _pydantic_accepts(text)
    assert not _hot_path_accepts(text)


def test_both_schemas_allow_extension_attributes() -> None:
    text = json.dumps(an_event(traceparent="00-1", datacontenttype="application/json")).encode()
    assert _pydantic_accepts(text)
    assert _hot_path_accepts(text)


def _pydantic_accepts(text: bytes) -> bool:
    try:
        UsageEvent.model_validate_json(text)
    except ValidationError:
        return False
    return True


def _hot_path_accepts(text: bytes) -> bool:
    """As admission judges, but for the key, the limits and the meters."""
    try:
        event = msgspec.json.decode(text, type=CloudEvent)
        msgspec.json.decode(event.data, type=dict[str, Any])
        parse_time(event.time)
    except (msgspec.DecodeError, ValueError):
        return False
    return True
