"""What a price list must obey by itself, whoever wrote it."""

from typing import Any

import pytest
from hypothesis import given
from pydantic import ValidationError

from schemas.catalog import Catalog
from schemas.meter import Meter
from tests.builders import llm_tokens
from tests.strategies import catalogs


def body() -> dict[str, Any]:
    return llm_tokens().model_dump(mode="json")


@given(catalogs())
def test_a_price_list_survives_being_stored_as_json(catalog: Catalog) -> None:
    stored = catalog.model_dump_json()
    assert Catalog.model_validate_json(stored) == catalog
    assert Catalog.model_validate_json(stored).model_dump_json() == stored


def test_what_is_included_is_written_in_units_and_kept_in_millionths() -> None:
    card = llm_tokens().plans["free"].meters["tokens"]
    assert card.included == 100_000_000_000
    assert card.model_dump(mode="json")["included"] == "100000"


def test_prices_written_differently_are_the_same_price() -> None:
    changed = body()
    changed["plans"]["pro"]["base_fee"]["USD"] = "49.990"
    changed["plans"]["pro"]["meters"]["tokens"]["overage"]["price"]["USD"] = "8.00"
    assert Catalog.model_validate(changed) == llm_tokens()


def test_meters_keep_their_order_and_know_their_name() -> None:
    changed = body()
    changed["meters"] = dict(reversed(changed["meters"].items()))
    catalog = Catalog.model_validate(changed)
    assert [m.name for m in catalog.meter_list] == ["output_tokens", "input_tokens", "tokens"]


def test_a_meter_may_not_have_another_name_than_its_key() -> None:
    changed = body()
    changed["meters"]["tokens"]["name"] = "words"
    with pytest.raises(ValidationError, match="'words' differs from its key"):
        Catalog.model_validate(changed)


@pytest.mark.parametrize("key", ["overage", "hard_limit"])
def test_an_unlimited_meter_ends_nowhere(key: str) -> None:
    changed = body()
    card = changed["plans"]["pro"]["meters"]["tokens"]
    ends = {"overage": card["overage"], "hard_limit": card["hard_limit"]}
    changed["plans"]["pro"]["meters"]["tokens"] = {"included": "unlimited", key: ends[key]}
    with pytest.raises(ValidationError, match=f"{key}: an unlimited meter has none"):
        Catalog.model_validate(changed)


def test_a_unit_price_that_no_line_can_hold_is_refused() -> None:
    changed = body()
    overage = {"per": 1, "price": {"USD": "9223373", "CNY": "1"}}
    changed["plans"]["pro"]["meters"]["tokens"]["overage"] = overage
    with pytest.raises(ValidationError, match="9223373 for every 1 is too much for one unit"):
        Catalog.model_validate(changed)


def test_a_price_list_does_not_change() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        llm_tokens().name = "other"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("aggregation", "value", "reason"),
    [
        ("sum", [], "needs `value`"),
        ("count", ["a"], "has no value"),
        ("max", [], "needs `value`"),
        ("unique_count", ["a", "b"], "of one property"),
        ("sum", ["a"] * 10, "at most 9"),
        ("sum", [""], "not empty"),
        ("sum", "a +", "character 4: the end is no property"),
        ("count", "a + b", "has no value"),
        ("unique_count", "a", "of one property"),
    ],
)
def test_a_meter_has_a_value_exactly_when_it_adds(
    aggregation: str, value: list[str], reason: str
) -> None:
    with pytest.raises(ValidationError, match=reason):
        Meter.model_validate(
            {"name": "m", "event_type": "t", "aggregation": aggregation, "value": value}
        )


@pytest.mark.parametrize("aggregation", ["max", "min", "avg", "latest", "unique_count"])
def test_what_does_not_add_up_over_values_has_no_pricing_key(aggregation: str) -> None:
    body = {"name": "m", "event_type": "t", "aggregation": aggregation, "value": ["a"]}
    with pytest.raises(ValidationError, match=f"values of a {aggregation} do not add up"):
        Meter.model_validate(body | {"dimensions": ["model"], "priced_by": "model"})


@pytest.mark.parametrize("aggregation", ["max", "min", "avg", "latest", "unique_count"])
def test_every_meter_may_have_a_pool_and_overage(aggregation: str) -> None:
    changed = body()
    changed["meters"]["output_tokens"]["aggregation"] = aggregation
    overage = {"price": {"USD": "1", "CNY": "1"}}
    changed["plans"]["free"]["meters"]["output_tokens"] = {"included": 5, "overage": overage}
    catalog = Catalog.model_validate(changed)
    assert catalog.priced_meters == ("tokens", "output_tokens")


@pytest.mark.parametrize(
    ("terms", "reason"),
    [
        ({"included": 1}, "included: prices by value leave nothing to be included; write 0"),
        ({"hard_limit": 150}, "hard_limit: it would be a share of nothing; write a limit in"),
        ({"soft_limit": 100}, "soft_limit: it would be a share of nothing; write a limit in"),
    ],
)
def test_a_price_by_value_has_no_pool_and_no_share_of_it(
    terms: dict[str, Any], reason: str
) -> None:
    prices = {"default": {"price": {"USD": "1", "CNY": "1"}}}
    card = {"included": 0, "overage": {"model": "matrix", "by": "model", "prices": prices}}
    changed = body()
    changed["meters"]["tokens"]["priced_by"] = "model"
    limited = card | {"quotas": {"billing_period": {"limit": 5}}}
    changed["plans"]["pro"]["meters"]["tokens"] = limited
    assert Catalog.model_validate(changed).windows_of("tokens") == ("billing_period",)
    changed["plans"]["pro"]["meters"]["tokens"] = card | terms
    with pytest.raises(ValidationError, match=reason):
        Catalog.model_validate(changed)


def test_a_meter_that_every_plan_leaves_unlimited_is_only_counted() -> None:
    changed = body()
    changed["plans"]["free"]["meters"]["output_tokens"] = {"included": "unlimited"}
    assert Catalog.model_validate(changed).priced_meters == ("tokens",)


def test_labels_are_written_as_text_number_or_truth_value() -> None:
    meter = {"name": "m", "event_type": "t", "aggregation": "count"}
    named = Meter.model_validate(meter | {"filter": {"tier": ["gold", 7, True]}})
    assert named.filter == {"tier": ("gold", "7", "true")}
    with pytest.raises(ValidationError, match="neither text nor a number"):
        Meter.model_validate(meter | {"filter": {"tier": [[]]}})


def with_quotas(**quotas: Any) -> Catalog:
    changed = body()
    changed["plans"]["pro"]["meters"]["tokens"]["quotas"] = quotas
    return Catalog.model_validate(changed)


def test_a_meter_is_counted_in_the_windows_that_any_plan_names() -> None:
    catalog = with_quotas(hour={"limit": 5}, week={"limit": 9})
    assert catalog.windows_of("tokens") == ("billing_period", "hour", "week")
    assert catalog.windows_of("input_tokens") == ("billing_period",)


def test_billing_from_any_day_is_made_of_days() -> None:
    catalog = Catalog.model_validate(body() | {"anniversary_billing": True})
    assert catalog.windows_of("tokens") == ("billing_period", "day")


@pytest.mark.parametrize("aggregation", ["min", "avg", "time_weighted"])
def test_what_counters_do_not_follow_has_no_window(aggregation: str) -> None:
    changed = body()
    changed["meters"]["output_tokens"]["aggregation"] = aggregation
    assert Catalog.model_validate(changed).windows_of("output_tokens") == ()


@pytest.mark.parametrize(
    ("aggregation", "card", "reason"),
    [
        ("avg", {"included": None, "quotas": {"day": {"limit": 5}}}, "do not follow avg meters"),
        ("min", {"included": 5, "hard_limit": 100}, "do not follow min meters"),
        ("time_weighted", {"included": 5, "soft_limit": 100}, "follow time_weighted meters"),
    ],
)
def test_a_meter_that_counters_do_not_follow_has_no_limits(
    aggregation: str, card: dict[str, Any], reason: str
) -> None:
    changed = body()
    changed["meters"]["output_tokens"]["aggregation"] = aggregation
    changed["plans"]["free"]["meters"]["output_tokens"] = card
    with pytest.raises(ValidationError, match=reason):
        Catalog.model_validate(changed)


@pytest.mark.parametrize(
    ("text", "percent", "seconds"),
    [("10%", 10, None), ("10 %", 10, None), ("30m", None, 1800), ("24h", None, 86_400)],
)
def test_a_grace_is_a_share_or_a_time(text: str, percent: int | None, seconds: int | None) -> None:
    grace = with_quotas(hour={"limit": 5, "grace": text}).plans["pro"].meters["tokens"].quotas
    assert (grace["hour"].grace.percent, grace["hour"].grace.seconds) == (percent, seconds)  # type: ignore[union-attr]


def test_a_price_list_is_read_back_as_it_was_written() -> None:
    catalog = with_quotas(hour={"limit": 5, "grace": "10%"})
    assert Catalog.model_validate_json(catalog.model_dump_json()) == catalog
