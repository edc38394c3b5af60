"""The producer without a broker: what it records, and what becomes of it."""

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from countinghouse.client import UsageProducer
from countinghouse.spool import Undelivered
from pipelines.admission.admission import Admission
from schemas.errors import InvalidInput
from schemas.event import Event
from schemas.quantity import MICRO
from tests.warehouses import CATALOG

NOBODY = "127.0.0.1:1"
QUIET = {"log_level": 0}


@pytest.fixture
def usage(tmp_path: Path) -> Iterator[UsageProducer]:
    producer = UsageProducer(NOBODY, source="s", spool_path=tmp_path / "spool", config=QUIET)
    yield producer
    producer.close(0)


def spooled(path: Path) -> list[Undelivered]:
    return [msgspec.json.decode(line, type=Undelivered) for line in path.read_bytes().splitlines()]


def test_what_could_not_be_delivered_is_kept_and_told(tmp_path: Path) -> None:
    told: list[tuple[str, str]] = []
    path = tmp_path / "spool"
    usage = UsageProducer(
        NOBODY,
        source="s",
        spool_path=path,
        on_failure=lambda event, why: told.append((event.tenant, why)),
        config=QUIET,
    )
    usage.record("a", "llm.request", {"input_tokens": 1, "output_tokens": 2}, event_id="x")
    usage.close(0)
    [kept] = spooled(path)
    assert [tenant for tenant, _ in told] == ["a"]
    assert msgspec.json.decode(kept.event)["id"] == "x"


def test_a_recorded_event_is_one_that_admission_takes(tmp_path: Path) -> None:
    path = tmp_path / "spool"
    usage = UsageProducer(NOBODY, source="s", spool_path=path, config=QUIET)
    data = {"input_tokens": Decimal("1.000001"), "output_tokens": 2}
    usage.record("a", "llm.request", data, time=datetime(2026, 10, 1, 12, 30, tzinfo=UTC))
    usage.close(0)
    [kept] = spooled(path)
    [event] = Admission(CATALOG, None, None, 65_536).admit(b"a", bytes(kept.event), 0)
    assert isinstance(event, Event)
    assert event.values == ((0, 3 * MICRO + 1), (1, MICRO))


def test_kept_events_are_handed_over_by_the_next_producer(tmp_path: Path) -> None:
    path = tmp_path / "spool"
    for name in ("first", "second"):
        usage = UsageProducer(NOBODY, source="s", spool_path=path, config=QUIET)
        usage.record("a", "t", {}, event_id=name)
        usage.close(0)
    kept = {msgspec.json.decode(event.event)["id"] for event in spooled(path)}
    assert kept == {"first", "second"}


def test_a_failing_callback_stops_nothing(usage: UsageProducer, tmp_path: Path) -> None:
    def fail(event: Undelivered, why: str) -> None:
        raise RuntimeError

    failing = UsageProducer(NOBODY, source="s", on_failure=fail, config=QUIET)
    failing.record("a", "t", {})
    failing.close(0)


def test_a_full_queue_is_a_failure_that_record_does_not_raise(tmp_path: Path) -> None:
    path = tmp_path / "spool"
    small = {**QUIET, "queue.buffering.max.messages": 1}
    usage = UsageProducer(NOBODY, source="s", spool_path=path, config=small)
    for _ in range(5):
        usage.record("a", "t", {})
    usage.close(0)
    assert len(spooled(path)) == 5


@pytest.mark.parametrize(
    ("tenant", "event_type", "time"),
    [
        ("", "t", None),
        ("a" * 201, "t", None),
        ("a", "", None),
        ("a", "t", datetime(2026, 10, 1)),  # noqa: DTZ001
        ("a", "t", datetime(1999, 12, 31, tzinfo=UTC)),
    ],
)
def test_a_wrong_argument_is_told_at_once(
    usage: UsageProducer, tenant: str, event_type: str, time: datetime | None
) -> None:
    with pytest.raises(InvalidInput):
        usage.record(tenant, event_type, {}, time=time)
