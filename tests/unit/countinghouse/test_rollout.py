"""Which meters a new price list makes counters anew of."""

from typing import Any

import pytest

from countinghouse.rollout import new_meters
from schemas.catalog import Catalog
from tests.unit.streams.builders import a_catalog

CALLS = {"event_type": "llm", "aggregation": "count"}
MEAN = {"event_type": "llm", "aggregation": "avg", "value": ["n"]}


def changed(**changes: Any) -> Catalog:
    return Catalog.model_validate({**a_catalog().model_dump(by_alias=True), **changes})


@pytest.mark.parametrize(
    ("extra", "anew"),
    [
        ({}, ()),
        ({"requests": {"name": "requests", **CALLS}}, ("requests",)),
        ({"mean": {"name": "mean", **MEAN}}, ()),
    ],
)
def test_new_meters_that_counters_follow(extra: dict[str, Any], anew: tuple[str, ...]) -> None:
    meters = {**a_catalog().model_dump()["meters"], **extra}
    assert new_meters(a_catalog(), changed(meters=meters)) == anew


def test_meters_that_are_counted_in_more_windows() -> None:
    assert new_meters(a_catalog(), changed(anniversary_billing=True)) == ("tokens", "calls")
    assert new_meters(changed(anniversary_billing=True), a_catalog()) == ()
