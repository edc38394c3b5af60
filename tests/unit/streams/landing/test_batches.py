"""Records as columns: nothing rounded, nothing lost, the first element of an id marked."""

import json
from dataclasses import dataclass
from typing import Any

import msgspec
import pytest

from pipelines.admission.admission import Admission
from schemas.catalog import Catalog
from schemas.event import Event, Rejection
from schemas.quantity import MICRO
from streams.landing.batches import (
    MAX_KEY_BYTES,
    Deliveries,
    RejectedElement,
    judge,
    rejected_table,
    usage_table,
)
from streams.landing.dead_letters import MAX_DETAIL_BYTES, MAX_ELEMENT_BYTES, letter
from tests.landings import an_event
from tests.warehouses import CATALOG

ADMISSION = Admission(CATALOG, None, None, 65_536)


@dataclass(frozen=True)
class ARecord:
    """A record of `usage.events`."""

    at: int
    body: bytes | None
    tenant: bytes | None = b"a"
    sent_at: tuple[tuple[str, bytes | None], ...] = ()

    def __len__(self) -> int:
        return len(self.value() or b"")

    def error(self) -> Any:
        return None

    def topic(self) -> str:
        return "usage.events"

    def partition(self) -> int:
        return 3

    def offset(self) -> int:
        return self.at

    def key(self) -> bytes | None:
        return self.tenant

    def value(self) -> bytes | None:
        return self.body

    def timestamp(self) -> tuple[int, int]:
        return (2, 1_790_000_000_000)

    def headers(self) -> list[tuple[str, bytes | None]] | None:
        return list(self.sent_at) or None

    def set_headers(self, value: list[tuple[str, bytes | None]]) -> None:
        raise AssertionError


def judged(*records: ARecord, admission: Admission = ADMISSION) -> Deliveries:
    found = Deliveries()
    judge(records, admission, found)
    return found


def an_array(*events: bytes) -> bytes:
    return b"[" + b",".join(events) + b"]"


def test_a_delivery_becomes_a_row_with_its_place_in_the_log() -> None:
    found = judged(ARecord(5, an_event("x")))
    [row] = usage_table(found, CATALOG, epoch=2).to_pylist()
    assert row["ver"] == 2**64 - 1 - (2 << 48 | 5)
    assert (row["partition"], row["item"], row["repeated"]) == (3, 0, False)
    assert row["meters"] == ["tokens", "requests"]
    assert [str(quantity) for quantity in row["quantities"]] == ["3.000000", "1.000000"]
    assert json.loads(row["data"])["model"] == row["model"] == "m"


@pytest.mark.parametrize(
    ("values", "texts"),
    [
        (((0, 1),), ["0.000001"]),
        (((0, -1),), ["-0.000001"]),
        (((0, 10**18 - 1),), ["999999999999.999999"]),
        (((0, 1 - 10**18),), ["-999999999999.999999"]),
        ((), []),
    ],
)
def test_quantities_are_exact(values: tuple[tuple[int, int], ...], texts: list[str]) -> None:
    found = deliveries(values)
    [row] = usage_table(found, CATALOG, 1).to_pylist()
    assert [str(quantity) for quantity in row["quantities"]] == texts


@pytest.mark.parametrize("micro", [10**18, -(10**18)])
def test_a_quantity_that_would_not_fit_is_an_error_never_a_wrong_number(micro: int) -> None:
    with pytest.raises(ValueError, match="eighteen digits"):
        usage_table(deliveries(((0, micro),)), CATALOG, 1)


def deliveries(values: tuple[tuple[int, int], ...]) -> Deliveries:
    event = Event("a", "s", "x", "t", 1_790_000_000_000, 0, msgspec.Raw(b"{}"), values)
    return Deliveries([event], [0], [0], [1_790_000_000_000], [None], [1])


def test_only_later_elements_of_an_id_are_marked_as_repeated() -> None:
    records = [
        ARecord(0, an_event("x")),
        ARecord(1, an_array(an_event("x"), b"{}", an_event("y"), an_event("x"), an_event("y"))),
        ARecord(2, an_array(an_event("x"), an_event("x", source="other"))),
    ]
    rows = usage_table(judged(*records), CATALOG, 1).to_pylist()
    assert [(row["id"], row["item"], row["repeated"]) for row in rows] == [
        ("x", 0, False),
        ("x", 0, False),
        ("y", 2, False),
        ("x", 3, True),
        ("y", 4, True),
        ("x", 0, False),
        ("x", 1, False),
    ]


@pytest.mark.parametrize(
    ("header", "sent_ms"),
    [
        ((), None),
        ((("sent-at", b"1790000000123"),), 1_790_000_000_123),
        ((("other", b"1"), ("sent-at", b"1790000000123")), 1_790_000_000_123),
        ((("sent-at", None),), None),
        ((("sent-at", b"-1"),), None),
        ((("sent-at", b"0"),), None),
        ((("sent-at", b"9" * 15),), None),
        ((("sent-at", "٣".encode() * 13),), None),
    ],
)
def test_a_send_time_that_is_none_is_left_out(
    header: tuple[tuple[str, bytes | None], ...], sent_ms: int | None
) -> None:
    assert judged(ARecord(0, an_event("x"), sent_at=header)).sent_ms == [sent_ms]


def test_a_model_that_is_no_text_is_no_dimension() -> None:
    data = {"model": {"name": "m"}, "input_tokens": 1, "output_tokens": 1}
    found = judged(ARecord(0, an_event("x", data=data)))
    [row] = usage_table(found, CATALOG, 1).to_pylist()
    assert row["model"] == ""


FILTERED = Catalog.model_validate(
    {
        "name": "filtered",
        "currencies": ["USD"],
        "default_plan": "free",
        "meters": {
            "golden": {"event_type": "r", "aggregation": "count", "filter": {"tier": ["gold"]}},
            "tokens": {
                "event_type": "r",
                "aggregation": "sum",
                "value": ["n"],
                "dimensions": ["model"],
                "priced_by": "model",
            },
            "users": {"event_type": "r", "aggregation": "unique_count", "value": ["user"]},
        },
        "plans": {"free": {"base_fee": {"USD": "0"}, "meters": {}}},
    }
)


def test_members_and_pricing_keys_stand_beside_their_meters() -> None:
    data = {"n": 2, "user": "u", "tier": "gold", "model": "small"}
    records = [
        ARecord(0, an_event("x", type="r", data=data)),
        ARecord(1, an_event("y", type="r", data=data | {"tier": "silver", "model": None})),
    ]
    found = judged(*records, admission=Admission(FILTERED, None, None, 65_536))
    rows = usage_table(found, FILTERED, 1).to_pylist()
    assert [(row["meters"], row["members"], row["dimensions"]) for row in rows] == [
        (["golden", "tokens", "users"], ["", "", "u"], ["", "small", ""]),
        (["tokens", "users"], ["", "u"], ["", ""]),
    ]
    assert [[int(quantity) for quantity in row["quantities"]] for row in rows] == [
        [1, 2, 1],
        [2, 1],
    ]


def test_a_rejected_element_keeps_its_place_and_its_bytes() -> None:
    found = judged(ARecord(7, an_array(an_event("x"), b"\t7"), b"a"))
    [row] = rejected_table(found.rejected, "usage.events", 4).to_pylist()
    assert (row["epoch"], row["partition"], row["offset"], row["item"]) == (4, 3, 7, 1)
    assert (row["key"], row["element"].strip()) == (b"a", b"7")


def test_a_long_key_is_not_kept_with_each_element() -> None:
    elements = an_array(*[an_event(str(n)) for n in range(100)])
    found = judged(ARecord(7, elements, b"k" * 100_000))
    assert rejected_table(found.rejected, "usage.events", 4).nbytes < 300_000


def test_headers_that_cannot_be_read_are_none() -> None:
    class Odd(ARecord):
        def headers(self) -> list[tuple[str, bytes | None]] | None:
            raise SystemError("what confluent-kafka says of a name that is not UTF-8")

        def set_headers(self, value: list[tuple[str, bytes | None]]) -> None:
            assert value == []

    assert judged(Odd(0, an_event("x"))).sent_ms == [None]


def test_a_letter_always_fits_into_a_record() -> None:
    rejection = Rejection(0, "key_mismatch", "x" * 10**6 + "\ud800", b"e" * 2_000_000)
    record = ARecord(5, b"", b"k" * 10**6)
    key, value, headers = letter(RejectedElement.of(record, rejection))
    sizes = {name: len(text) for name, text in headers}
    assert len(key or b"") == MAX_KEY_BYTES
    assert len(value) == MAX_ELEMENT_BYTES
    assert sizes["detail"] == MAX_DETAIL_BYTES
    assert dict(headers)["cut"] == b"2000000"


@pytest.mark.parametrize("catalog", [CATALOG, FILTERED], ids=lambda catalog: catalog.name)
def test_an_empty_batch_is_a_table_without_rows(catalog: Catalog) -> None:
    """So is one of which all is rejected."""
    assert usage_table(Deliveries(), catalog, 1).num_rows == 0
    assert MICRO == 10**6
