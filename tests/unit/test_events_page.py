"""docs/events.md: its event is one, and it knows every reason for which usage is rejected."""

import re
from pathlib import Path
from typing import get_args

from pipelines.admission.admission import Admission
from schemas.event import Event, Reason
from schemas.partitions import partition_of
from schemas.period import parse_instant
from tests.warehouses import CATALOG

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "events.md").read_text()


def test_the_reasons_are_those_that_there_are() -> None:
    rows = [line.split("|")[1] for line in PAGE.splitlines() if line.startswith("| `")]
    told = {name for row in rows for name in re.findall(r"`(\w+)`", row)}
    assert told >= set(get_args(Reason))


def test_its_event_is_admitted() -> None:
    block = PAGE.split("```")[1]
    key = re.search(r"key: +(\S+)", block)
    value = re.search(r"value: +(\{.*\})", block, re.DOTALL)
    assert key
    assert value
    tenant = key[1].encode()
    admission = Admission(CATALOG, None, None, 65_536, partitions=8)
    arrived_ms = parse_instant("2026-11-30T08:15:01Z")
    [event] = admission.admit(tenant, value[1].encode(), arrived_ms, partition_of(tenant, 8))
    assert isinstance(event, Event)
