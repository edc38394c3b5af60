"""What the traffic means is what admission makes of it: the run would prove nothing otherwise."""

from collections.abc import Sequence
from random import Random

import pytest

from countinghouse.chaos import prices
from countinghouse.chaos.elements import MAX_BYTES, Elements, Text, beyond_limits, broken_records
from countinghouse.chaos.messages import Malformed, Usage
from countinghouse.chaos.traffic import MAX_AGE_MS, MAX_LEAD_MS, partition_of
from pipelines.admission.admission import Admission
from pipelines.catalog import catalog_file
from schemas.event import Event, Rejection

NOW = 1_790_000_000_000
CATALOG = catalog_file.parse(prices.price_list(), "prices.yaml")
METERS = [meter.name for meter in CATALOG.meter_list]
TENANT = 'té"nant'


@pytest.fixture
def elements() -> Elements:
    return Elements(Random(3))  # noqa: S311  the same elements every time


def judged(value: bytes | None) -> Sequence[Event | Rejection]:
    admission = Admission(CATALOG, MAX_AGE_MS, MAX_LEAD_MS, MAX_BYTES)
    return admission.admit(TENANT.encode(), value, NOW)


def assert_as_meant(outcome: Event | Rejection, text: Text) -> None:
    meant = text.meant
    if isinstance(meant, Malformed):
        assert isinstance(outcome, Rejection)
        assert (outcome.reason, outcome.element) == (meant.reason, meant.element)
        return
    assert isinstance(outcome, Event)
    assert (outcome.tenant, outcome.source, outcome.id) == meant.identity
    assert (outcome.type, outcome.time_ms) == (meant.type, meant.time_ms)
    assert {METERS[meter]: micro for meter, micro in outcome.values} == meant.values
    assert {METERS[meter]: text for meter, text in outcome.members} == meant.members


def test_events_are_admitted_with_the_values_that_they_mean(elements: Elements) -> None:
    for _ in range(500):
        text = elements.event(TENANT, NOW)
        (outcome,) = judged(text.text)
        assert_as_meant(outcome, text)


def test_malformed_elements_are_rejected_for_the_reason_that_they_mean(elements: Elements) -> None:
    texts = [elements.malformed(TENANT, NOW) for _ in range(500)]
    for text in texts:
        (outcome,) = judged(text.text)
        assert_as_meant(outcome, text)
    reasons = {text.meant.reason for text in texts if isinstance(text.meant, Malformed)}
    assert len(reasons) == 8


def test_a_malformed_element_of_an_array_leaves_its_neighbours_alone(elements: Elements) -> None:
    for _ in range(200):
        texts = [elements.event(TENANT, NOW), elements.malformed(TENANT, NOW)]
        texts.append(elements.event(TENANT, NOW))
        outcomes = judged(b"[" + b",".join(text.text for text in texts) + b"]")
        for outcome, text in zip(outcomes, texts, strict=True):
            assert_as_meant(outcome, text)


@pytest.mark.parametrize("number", range(6))
def test_broken_records_are_rejected_whole(number: int) -> None:
    reason, value, letter = broken_records("marker-1")[number]
    (outcome,) = judged(value)
    assert isinstance(outcome, Rejection)
    assert (outcome.reason, outcome.element) == (reason, letter)


@pytest.mark.parametrize(
    ("time_ms", "reason"), [(NOW - MAX_AGE_MS - 1, "too_old"), (NOW + MAX_LEAD_MS + 1, "in_future")]
)
def test_a_clock_beyond_the_limits_is_rejected(
    elements: Elements, time_ms: int, reason: str
) -> None:
    text = beyond_limits(elements.event(TENANT, time_ms), reason)
    (outcome,) = judged(text.text)
    assert_as_meant(outcome, text)


def test_other_content_keeps_identity_type_and_time(elements: Elements) -> None:
    text = elements.event(TENANT, NOW, prices.LLM_REQUEST)
    other = elements.other_content(text)
    assert isinstance(text.meant, Usage)
    assert isinstance(other.meant, Usage)
    assert other.meant.identity == text.meant.identity
    assert (other.meant.type, other.meant.time_ms) == (text.meant.type, text.meant.time_ms)
    assert other.meant.values != text.meant.values


def test_partitions_are_javas() -> None:
    """Published test values of Kafka's murmur2."""
    hashes = {"21": -973932308, "foobar": -790332482, "a-little-bit-long-string": -985981536}
    for key, hashed in hashes.items():
        assert partition_of(key, 8) == (hashed & 0x7FFFFFFF) % 8
