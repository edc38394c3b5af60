"""A price list that would no longer count what is in use, or count something else, is refused."""

import json
from typing import Any

import pytest

from pipelines.catalog.catalog_succession import ensure_follows
from schemas.catalog import Catalog
from schemas.catalog_use import InUse
from schemas.errors import Conflict
from tests.builders import llm_tokens
from tests.unit.pipelines.catalog.test_catalog_diff import Edit, edited

HELD = InUse([("pro", 1)])


def refused(edit: Edit, in_use: InUse = HELD) -> str:
    with pytest.raises(Conflict) as conflict:
        ensure_follows(edited(edit), {1: llm_tokens()}, in_use)
    return str(conflict.value)


def without(meter: str) -> Edit:
    def edit(body: dict[str, Any]) -> None:
        for holder in (body, *body["plans"].values()):
            holder["meters"].pop(meter, None)
        body["costs"].pop(meter, None)

    return edit


@pytest.mark.parametrize(
    "change",
    [
        {"event_type": "llm.answer"},
        {"aggregation": "max"},
        {"value": ["input_tokens"]},
        {"value": "input_tokens + output_tokens * 2"},
        {"filter": {"mode": ["live"]}},
        {"dimensions": ["model"], "priced_by": "model"},
    ],
)
def test_a_meter_stays_what_it_is_under_its_name(change: dict[str, Any]) -> None:
    told = refused(lambda body: body["meters"]["tokens"].update(change))
    assert told == (
        "meters.tokens: it is another meter than that of price list 1; give it another name"
    )


def test_also_one_that_was_left_out_in_between() -> None:
    changed = edited(lambda body: body["meters"]["tokens"].update(aggregation="max"))
    with pytest.raises(Conflict, match="than that of price list 1"):
        ensure_follows(changed, {1: llm_tokens(), 2: edited(without("tokens"))}, InUse())


def test_its_unit_its_order_and_prices_may_change() -> None:
    def edit(body: dict[str, Any]) -> None:
        tokens = body["meters"]["tokens"]
        tokens |= {"unit": "word", "value": tokens["value"][::-1]}
        body["plans"]["pro"]["base_fee"]["USD"] = "59.99"

    ensure_follows(edited(edit), {1: llm_tokens()}, HELD)


def test_a_meter_by_which_somebody_is_billed_stays() -> None:
    assert refused(without("tokens")) == (
        "meters.tokens: it is missing, and pro of price list 1 is billed by it; keep it, or move"
        " those who have the plan: `subscriptions move`"
    )
    ensure_follows(edited(without("tokens")), {1: llm_tokens()}, InUse())
    ensure_follows(edited(without("input_tokens")), {1: llm_tokens()}, HELD)


def test_anniversaries_stay_allowed_as_long_as_somebody_has_one() -> None:
    told = refused(lambda _: None, InUse(anchored="acme"))
    assert told.startswith("anniversary_billing: billing periods of acme do not begin with the")
    body = json.loads(llm_tokens().model_dump_json()) | {"anniversary_billing": True}
    ensure_follows(Catalog.model_validate(body), {1: llm_tokens()}, InUse(anchored="acme"))
