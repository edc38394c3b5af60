"""What admission reads for each meter: members, pricing keys, filters, expressions."""

import msgspec
import pytest

from schemas.event import Event, Rejection
from schemas.quantity import MICRO
from tests.unit.pipelines.admission.test_admission_parity import (
    GOOD,
    NOON_MS,
    OPEN,
    an_object,
    assert_same,
)


@pytest.mark.parametrize(
    ("text", "member"),
    [
        (b'"u-1"', "u-1"),
        (b'"7"', "7"),
        (b"7", "7"),
        (b"7.0", "7"),
        (b"7e3", "7000"),
        (b"0.50", "0.5"),
        (b"-0.0", "0"),
        (b"123456789012345678901234567890", "123456789012345678901234567890"),
        (b'"' + b"y" * 200 + b'"', "y" * 200),
    ],
)
def test_a_member_is_a_text_as_it_is_or_a_number_in_one_form(text: bytes, member: str) -> None:
    [event] = OPEN.admit(b"a", an_event(text), NOON_MS)
    assert isinstance(event, Event)
    assert event.members == ((3, member), (4, "m"))
    assert event.values == ((0, 7_000_000), (1, 3_000_000), (2, 1_000_000))


@pytest.mark.parametrize(
    "text",
    [
        *(b'""', b"true", b"null", b"[]", b"{}", b"0.1234567", b"1e99999999999999999999"),
        *(b'"' + b"y" * 201 + b'"', b"9" * 201, b"9" * 5000, b"1e50"),
    ],
)
def test_what_cannot_be_told_apart_is_rejected(text: bytes) -> None:
    [rejection] = OPEN.admit(b"a", an_event(text), NOON_MS)
    assert isinstance(rejection, Rejection)
    assert rejection.reason == "invalid_value"
    assert rejection.detail.startswith("data.user")


WEIGHED, GOLDEN, PLAIN, CHOSEN, FINE = range(8, 13)


def metered(**data: object) -> Event | Rejection:
    """What is made of an event of the filtered meters."""
    texts = {name: msgspec.json.encode(value) for name, value in data.items()}
    element = an_object({**GOOD, "type": b'"f"', "data": an_object(texts)})
    assert_same(b"a", element)
    [judged] = OPEN.admit(b"a", element, NOON_MS)
    return judged


@pytest.mark.parametrize(
    ("tier", "meters"),
    [
        ("gold", (WEIGHED, GOLDEN, PLAIN)),
        (7, (WEIGHED, PLAIN)),
        (7.0, (WEIGHED, PLAIN)),
        ("7", (WEIGHED, PLAIN)),
        (True, (WEIGHED, PLAIN)),
        ("true", (WEIGHED, PLAIN)),
        ("silver", (PLAIN,)),
        (7.5, (PLAIN,)),
        ("", (PLAIN,)),
        (None, (PLAIN,)),
        ({"a": 1}, (PLAIN,)),
        (["gold"], (PLAIN,)),
    ],
)
def test_a_meter_reads_what_its_filter_lets_through(tier: object, meters: tuple[int]) -> None:
    event = metered(**{"in": 1, "out": 2, "user": "u", "model": "x", "tier": tier})
    assert isinstance(event, Event)
    assert tuple(index for index, _ in event.values) == meters
    assert event.members == (((CHOSEN, "u"),) if GOLDEN in meters else ())


def test_what_a_filter_leaves_out_may_hold_anything() -> None:
    event = metered(**{"in": "many", "model": "x", "tier": "silver"})
    assert isinstance(event, Event)
    assert event.values == ((PLAIN, MICRO),)
    assert isinstance(metered(**{"in": "many", "model": "x", "tier": "gold"}), Rejection)


@pytest.mark.parametrize(
    ("user", "dimensions"),
    [
        ("u", ((WEIGHED, "u"), (PLAIN, "m"))),
        (7, ((WEIGHED, "7"), (PLAIN, "m"))),
        (False, ((WEIGHED, "false"), (PLAIN, "m"))),
        ("", ((PLAIN, "m"),)),
        (None, ((PLAIN, "m"),)),
    ],
)
def test_a_pricing_key_is_kept_where_there_is_one(user: object, dimensions: object) -> None:
    event = metered(**{"in": 1, "out": 2, "user": user, "model": "m", "tier": 7})
    assert isinstance(event, Event)
    assert event.dimensions == dimensions


@pytest.mark.parametrize("user", ["y" * 201, [], {}, 0.0000001])
def test_a_pricing_key_that_is_no_label_is_rejected(user: object) -> None:
    rejection = metered(**{"in": 1, "out": 2, "user": user, "model": "m", "tier": 7})
    assert isinstance(rejection, Rejection)
    assert rejection.reason == "invalid_value"
    assert rejection.detail.startswith("data.user: ")


@pytest.mark.parametrize(
    ("out", "micro", "told"),
    [
        (4, 4_000_000, None),
        (0.000002, 2_000_001, None),
        (0.000001, None, "weighed, in * 3 + out * 0.5 - 1: the value has more than 6 decimals"),
        (10**11, 50_000_000_002_000_000, None),
    ],
)
def test_an_expression_is_exact_or_rejected(
    out: object, micro: int | None, told: str | None
) -> None:
    judged = metered(**{"in": 1, "out": out, "user": "u", "model": "m", "tier": 7})
    if told is None:
        assert isinstance(judged, Event)
        assert judged.values[0] == (WEIGHED, micro)
    else:
        assert isinstance(judged, Rejection)
        assert (judged.reason, judged.detail) == ("invalid_value", told)


def test_an_expression_out_of_range_is_rejected() -> None:
    judged = metered(**{"in": 10**11, "out": 0, "user": "u", "model": "m", "tier": 7})
    assert isinstance(judged, Rejection)
    assert judged.detail == "weighed, in * 3 + out * 0.5 - 1: beyond 100000000000 units"


def test_a_property_that_no_meter_reads_may_hold_any_number() -> None:
    text = b'"u", "other": 1e99999999999999999999, "long": ' + b"9" * 5000
    [event] = OPEN.admit(b"a", an_event(text), NOON_MS)
    assert isinstance(event, Event)


def an_event(user: bytes) -> bytes:
    return (
        b'{"specversion":"1.0","id":"1","source":"s","type":"t","subject":"a",'
        b'"time":"2026-09-21T14:13:20Z",'
        b'"data":{"in":3,"out put":4,"model":"m","user":' + user + b"}}"
    )
