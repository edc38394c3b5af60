"""Admission's quick way gives what its rule gives, whatever the bytes are."""

from collections.abc import Sequence
from itertools import chain, islice
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pipelines.admission.admission import Admission, Place
from pipelines.admission.event_columns import EventColumns
from pipelines.admission.event_times import EventTimes
from pipelines.admission.usual_records import UNUSUAL
from schemas.catalog import Catalog
from schemas.event import Event, parse_time

CATALOG = Catalog.model_validate(
    {
        "name": "parity",
        "currencies": ("USD",),
        "default_plan": "free",
        "meters": {
            "tokens": {"event_type": "t", "aggregation": "sum", "value": ["in", "out put"]},
            "input": {"event_type": "t", "aggregation": "max", "value": ["in"]},
            "calls": {"event_type": "t", "aggregation": "count"},
            "users": {"event_type": "t", "aggregation": "unique_count", "value": ["user"]},
            "models": {"event_type": "t", "aggregation": "unique_count", "value": ["model"]},
            "seats": {"event_type": "s", "aggregation": "latest", "value": ["model"]},
            "both": {"event_type": "b", "aggregation": "sum", "value": ["in"]},
            "both_too": {"event_type": "b", "aggregation": "unique_count", "value": ["in"]},
            "weighed": {
                "event_type": "f",
                "aggregation": "sum",
                "value": "in * 3 + out * 0.5 - 1",
                "filter": {"tier": ["gold", 7, True], "model": ["m", "x"]},
                "dimensions": ["user"],
                "priced_by": "user",
            },
            "golden": {"event_type": "f", "aggregation": "count", "filter": {"tier": ["gold"]}},
            "plain": {
                "event_type": "f",
                "aggregation": "count",
                "dimensions": ["model"],
                "priced_by": "model",
            },
            "chosen": {
                "event_type": "f",
                "aggregation": "unique_count",
                "value": ["user"],
                "filter": {"tier": ["gold"]},
            },
            "fine": {"event_type": "g", "aggregation": "sum", "value": "in * 0.0000001"},
        },
        "plans": {"free": {"base_fee": {"USD": "0"}, "meters": {"tokens": {"included": "1"}}}},
    }
)
NOON_MS = 1_790_000_000_000
LIMITED = Admission(CATALOG, max_age_ms=86_400_000, max_lead_ms=3_600_000, max_bytes=2_000)
OPEN = Admission(CATALOG, max_age_ms=None, max_lead_ms=None, max_bytes=100_000)
PLACED = Admission(CATALOG, None, None, max_bytes=2_000, partitions=8)


def outcome(judged: Any) -> list[Any]:
    """Events and rejections as plain values."""
    return [
        (*msgspec.structs.astuple(one)[:6], bytes(one.data), *msgspec.structs.astuple(one)[7:])
        if isinstance(one, Event)
        else one
        for one in judged
    ]


def assert_same(key: bytes | None, value: bytes) -> None:
    for admission in (LIMITED, OPEN, PLACED):
        expected = admission._closely(Place(key, NOON_MS, 0), value) if value else None
        judged = outcome(admission.admit(key, value, NOON_MS))
        assert expected is None or judged == outcome(expected)
        assert_all_same(admission, [key, b"a", key], [value, GOOD_EVENT, value])


def assert_all_same(
    admission: Admission, keys: Sequence[bytes | None], values: Sequence[bytes]
) -> None:
    """Judged all at once, records are what they are one by one; if one is unusual, none is."""
    records = list(zip(keys, values, strict=True))
    nothing = [0] * len(values)
    together = admission.admit_all(keys, values, [NOON_MS] * len(values), nothing)
    assert (together is not None) == all(is_usual(admission, *record) for record in records)
    if together is not None:
        columns, counts = together
        each = [admission.admit(*record, NOON_MS) for record in records]
        assert counts == list(map(len, each))
        assert outcome(events_of(columns)) == outcome(chain.from_iterable(each))


def is_usual(admission: Admission, key: bytes | None, value: bytes) -> bool:
    try:
        return bool(value and admission._usual.events(key, value, NOON_MS, 0))
    except UNUSUAL:
        return False


def events_of(columns: EventColumns) -> list[Event]:
    *own, read = (getattr(columns, name) for name in EventColumns.__slots__)
    flat, ends = zip(read.flat_meters().tolist(), read.micros.tolist(), strict=True), read.ends()
    values = [tuple(islice(flat, count)) for count in np.diff(ends).tolist()]
    assert list(map(len, values)) == list(map(len, read.meters))
    rows = zip(*own, values, read.models, read.members, read.dimensions, strict=True)
    return [Event(*row) for row in rows]


NUMBERS = [
    *(b"0", b"-0", b"7", b"-3", b"007", b"+1", b"1.0", b"1e3", b"-0.0", b"0.1234567", b"1.5"),
    *(b"1.00000000000000000000001", b"100000000000", b"100000000001", b"99999999999.999999"),
    *(b"18446744073709551616", b"9" * 40, b"9" * 4301, b"1e400", b"1e-400", b"1" * 199 + b".0"),
    *(b"1e99999999999999999999", b"0.1e-99999999999999999999", b"NaN", b"Infinity", b"-", b"1."),
]
TEXTS = [
    *(b'"m"', b'""', b'"5"', b'"0.1"', b'"x"', b'"' + b"y" * 200 + b'"', b'"' + b"y" * 201 + b'"'),
    *(b'"\xc3\xa9"', b'"\\u00e9"', b'"\\ud800"', b'"\\ud83d\\ude00"', b'"\\u0000"', b'"\x01"'),
    *(b'"\xff"', b'"\xed\xa0\x80"', b'"\\x"', b'"\\u12"', b'"a\\"b\\\\"', b'"{[[["', b'"'),
]
OTHERS = [
    *(b"null", b"true", b"false", b"{}", b"[]", b"[1,[2]]", b'{"a":{"b":[1]}}', b"tru", b""),
    *(b"[" * 64 + b"]" * 64, b'{"":' * 70 + b"1" + b"}" * 70, b'{"a":01}', b'{"in":1,"in":"x"}'),
]
TIMES = [
    *(b'"2026-09-21T14:13:20Z"', b'"2026-09-21T14:13:20.5Z"', b'"2026-09-21T14:13:20.250Z"'),
    *(b'"2026-09-21T16:13:20.123456+02:00"', b'"2026-09-21 14:13:20z"', b'"1999-12-31T23:59:59Z"'),
    *(b'"2026-09-21T14:13:20"', b'"2026-09-21T14:13:20.250ZZ"', b'"2026\\u002d09-21T14:13:20Z"'),
    *(b'"2026-09-22T14:13:20.001+23:59"', b'"2026-09-01T00:00:00Z"', b'"2199-12-31T23:59:59.9Z"'),
    *(b'"2026-09-21T14:13:20.9999999Z"', b'"\xd9\xa2026-09-21T14:13:20Z"', b'"20:13:20"'),
]
values = st.one_of(*(st.sampled_from(kind) for kind in (NUMBERS, TEXTS, OTHERS)))
spaces = st.sampled_from([b"", b"", b"", b" ", b"\n", b"\t "])
USUAL = {
    b"in": b"3",
    b"out put": b"4",
    b"out": b"5",
    b"user": b'"u"',
    b"model": b'"m"',
    b"tier": b'"gold"',
}


@st.composite
def objects(draw: st.DrawFn, usual: dict[bytes, bytes], others: st.SearchStrategy[bytes]) -> bytes:
    """A JSON object of usual pairs, some of them changed, left out, repeated or added."""
    pairs = list(usual.items())
    names = st.sampled_from([*usual, b"other", b"\\u0069n", b"\xc3\xa9", b"\xff", b"time_ms"])
    for _ in range(draw(st.integers(0, 2))):
        pairs.insert(draw(st.integers(0, len(pairs))), (draw(names), draw(others)))
    for name in draw(st.lists(names, max_size=1)):
        pairs = [pair for pair in pairs if pair[0] != name]
    space = draw(spaces)
    inside = (b"," + space).join(b'"' + name + b'":' + space + text for name, text in pairs)
    return b"{" + space + inside + b"}"


@st.composite
def elements(draw: st.DrawFn) -> bytes:
    """An event, most of the time a good one."""
    data = draw(st.one_of(st.just(b'{"in":1,"out put":2,"user":"u","model":"m"}'), DATA, values))
    usual = {
        b"specversion": b'"1.0"',
        b"id": b'"1"',
        b"source": b'"s"',
        b"type": draw(
            st.sampled_from([b'"t"', b'"t"', b'"s"', b'"b"', b'"f"', b'"f"', b'"unmetered"'])
        ),
        b"subject": b'"a"',
        b"time": draw(st.sampled_from(TIMES)),
        b"data": data,
    }
    if draw(st.booleans()):
        return b"{" + b",".join(b'"' + n + b'":' + text for n, text in usual.items()) + b"}"
    return draw(objects(usual, st.one_of(values, DATA)))


GOOD = {
    "specversion": b'"1.0"',
    "id": b'"1"',
    "source": b'"s"',
    "type": b'"t"',
    "subject": b'"a"',
    "time": b'"2026-09-21T14:13:20Z"',
    "other": b"1",
}
GOOD_DATA = {
    "in": b"3",
    "out put": b"4",
    "out": b"4",
    "user": b'"u"',
    "model": b'"m"',
    "tier": b'"gold"',
    "other": b"1",
}
ODD = [*NUMBERS, *TEXTS, *OTHERS, *TIMES, b'"' + b"y" * 1_700 + b'"', b'"' + b"y" * 1_900 + b'"']


def an_object(texts: dict[str, bytes]) -> bytes:
    pairs = [b'"%b":%b' % (name.encode(), text) for name, text in texts.items()]
    return b"{" + b",".join(pairs) + b"}"


@pytest.mark.parametrize("odd", ODD, ids=range(len(ODD)))
@pytest.mark.parametrize("event_type", [b'"t"', b'"s"', b'"b"', b'"f"', b'"g"', b'"unmetered"'])
def test_one_odd_part_is_judged_alike_wherever_it_is(event_type: bytes, odd: bytes) -> None:
    good = GOOD | {"type": event_type}
    found = [an_object({**good, "data": an_object(GOOD_DATA | {name: odd})}) for name in GOOD_DATA]
    found += [an_object({**good, "data": an_object(GOOD_DATA), name: odd}) for name in good]
    found.append(an_object({**good, "data": odd}))
    for element in found:
        assert_same(b"a", element)
        assert_same(b"a", b"[" + element + b"," + an_object({**good, "data": b"{}"}) + b"]")


GOOD_EVENT = an_object({**GOOD, "data": an_object(GOOD_DATA)})


DATA = objects(USUAL, values)
keys = st.sampled_from([b"a", b"a", b"a", b"a", b"b", b"\xff", b"\xc3\xa9", None])


@given(keys, elements())
@settings(max_examples=200)
@example(b"a", b'{"":' * 100 + b"1" + b"}" * 100)
def test_one_event_a_record_is_judged_alike(key: bytes | None, element: bytes) -> None:
    assert_same(key, element)


@given(keys, st.lists(elements(), max_size=4), spaces, st.sampled_from([b"]", b"]", b"] ", b""]))
@settings(max_examples=100)
def test_arrays_are_judged_alike(
    key: bytes | None, found: list[bytes], space: bytes, end: bytes
) -> None:
    assert_same(key, space + b"[" + (space + b",").join(found) + end)


@given(st.binary(max_size=40))
def test_any_bytes_are_judged_alike(value: bytes) -> None:
    assert_same(b"a", value)


@given(elements(), st.integers(0, 400), st.integers(0, 255))
@settings(max_examples=100)
def test_an_event_with_one_byte_changed_is_judged_alike(
    element: bytes, place: int, byte: int
) -> None:
    at = place % len(element)
    assert_same(b"a", element[:at] + bytes([byte]) + element[at + 1 :])


DIGITS = st.text("0123456789", max_size=9)
MOMENTS = st.builds(
    "{}{}{}".format,
    st.one_of(
        st.sampled_from(["2026-09-21T14:13:20", "2026-09-21 14:13:59", "2000-01-01T00:00:00"]),
        st.sampled_from(["2199-12-31T23:59:59", "2026-02-30T00:00:00", "2026-09-21T14:13:60"]),
        st.datetimes().map(lambda moment: moment.isoformat(timespec="seconds")),
    ),
    st.one_of(st.just(""), DIGITS.map(".{}".format), st.just(",5")),
    st.sampled_from(
        ["Z", "z", "+00:00", "-23:59", "+23:59", "+24:00", "+0200", "", " ", "ZZ", '"', "é"]
    ),
)


@given(st.lists(st.one_of(MOMENTS, st.text(max_size=30)), min_size=1, max_size=30))
def test_times_from_remembered_parts_are_what_the_rule_reads(texts: list[str]) -> None:
    times = EventTimes()
    for text in [*texts, *texts]:
        assert read_or_none(times, text) == parsed_or_none(text)
    fine = [text for text in texts if parsed_or_none(text) is not None]
    assert times.read_all(fine).tolist() == list(map(parsed_or_none, fine))
    assert EventTimes().read_all(fine).tolist() == list(map(parsed_or_none, fine))


@pytest.mark.parametrize("place", range(24))
def test_a_time_with_one_other_character_is_what_the_rule_reads(place: int) -> None:
    usual = "2026-10-05T12:30:00.123Z"
    for other in "0123456789-+:TtZz ./,é\x00":
        text, times = usual[:place] + other + usual[place + 1 :], EventTimes()
        if parsed_or_none(text) is None:
            with pytest.raises(ValueError, match="time"):
                times.read_all([usual, text])
        else:
            assert times.read_all([usual, text]).tolist() == [parse(usual), parse(text)]


def parse(text: str) -> int:
    return parse_time(msgspec.json.encode(text))


def read_or_none(times: EventTimes, text: str) -> int | None:
    try:
        return times.read(text)
    except ValueError:
        return None


def parsed_or_none(text: str) -> int | None:
    try:
        return parse(text)
    except ValueError:
        return None
