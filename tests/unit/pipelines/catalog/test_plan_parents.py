"""Plans that extend others: what they are, who may have them, and where mistakes are told."""

import pytest

from pipelines.catalog.catalog_diff import changes, in_words
from pipelines.catalog.catalog_file import canonical, parse
from pipelines.catalog.catalog_terms import Term, terms_of
from pipelines.plans.plan_commands import Start
from pipelines.plans.plan_life import carry_out
from schemas.catalog import Catalog
from schemas.errors import InvalidInput
from tests.plan_lives import a_life, when, written

TEXT = """\
name: parents
currencies: [USD]
default_plan: free
meters: {calls: {event_type: api, aggregation: count}, images: {event_type: a, aggregation: count}}
plans:
  acme:
    extends: pro
    tenants: [acme]
    maximum: null
    base_fee: {USD: 39}
    meters:
      calls: {overage: {per: 1_000, price: {USD: 4}}}
      images: null
  free: {base_fee: {USD: 0}, meters: {}}
  intro: {extends: pro, base_fee: {USD: 5}}
  pro:
    base_fee: {USD: 49}
    maximum: {USD: 100}
    ramp: [{months: 3, plan: intro}]
    features: [sso]
    meters:
      calls: {included: 100, hard_limit: 150%, overage: {price: {USD: 0.5}}}
      images: {included: 10}
"""


def told(old: str, new: str) -> list[str]:
    assert old in TEXT
    with pytest.raises(InvalidInput) as invalid:
        parse(TEXT.replace(old, new, 1), "f.yaml")
    return str(invalid.value).splitlines()


def test_what_is_not_said_is_taken_over_and_null_takes_it_away() -> None:
    plan, parent = parse(TEXT, "f.yaml").plans["acme"], parse(TEXT, "f.yaml").plans["pro"]
    assert (plan.base_fee, plan.maximum, plan.features) == ({"USD": "39"}, {}, ("sso",))
    assert list(plan.meters) == ["calls"]
    assert not plan.ramp
    assert plan.meters["calls"].hard_limit == parent.meters["calls"].hard_limit == 150
    assert plan.meters["calls"].overage.per == 1_000  # type: ignore[union-attr]


def test_the_canonical_form_is_whole_and_read_as_it_was() -> None:
    catalog = parse(TEXT, "f.yaml")
    assert Catalog.model_validate_json(canonical(catalog)) == catalog


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("extends: pro, base", "extends: pr, base",
         "15:20: plans.intro.extends: 'pr' is not a plan; there are acme, free, intro, pro"),
        ("    base_fee: {USD: 49}", "    extends: acme\n    base_fee: {USD: 49}",
         "7:14: plans.acme.extends: acme extends pro extends acme; write one of them without it"),
        ("extends: pro, base", "extends: intro, base",
         "15:20: plans.intro.extends: intro extends intro; write one of them without it"),
        ("150%", "50%",
         "22:42: plans.acme.meters.calls.hard_limit: "
         "50 stops below what is included; write 100 or more"),
        ("tenants: [acme]", "tenants: []",
         "8:14: plans.acme.tenants: it is empty; name at least one"),
        ("free: {base", "free: {tenants: [acme], base",
         "14:19: plans.free.tenants: "
         "the default plan limits every tenant without a subscription; leave it out"),
        ("plan: intro", "plan: other",
         "19:30: plans.pro.ramp.0.plan: "
         "'other' is not a plan; there are acme, free, intro, pro"),
        ("plan: intro", "plan: pro",
         "19:30: plans.pro.ramp.0.plan: pro itself follows its ramp; leave this phase out"),
        ("plan: intro", "plan: acme",
         "19:30: plans.pro.ramp.0.plan: "
         "acme is not for all tenants that pro is for; widen its `tenants`"),
        ("USD: 5}", "USD: 5}, ramp: [{months: 1, plan: free}]",
         "19:30: plans.pro.ramp.0.plan: intro has a ramp of its own; name a plan without one"),
        ("USD: 5}", "USD: 5}, policies: {proration: none}",
         "19:30: plans.pro.ramp.0.plan: "
         "one of pro and intro is prorated and the other is not; let both be alike"),
        ("months: 3", "months: 0",
         "19:21: plans.pro.ramp.0.months: '0' is too small; write 1 or more"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_where_it_is_written(old: str, new: str, line: str) -> None:
    assert f"f.yaml:{line}" in told(old, new), told(old, new)


def test_a_plan_of_one_tenant_is_not_started_for_another() -> None:
    catalogs = {1: parse(TEXT, "f.yaml")}
    mine = carry_out(a_life(""), Start(plan="acme"), when("10-16"), catalogs).subscription
    assert written(mine) == "acme 10-16"
    remedy = "choose another, or add beta to its `tenants`"
    with pytest.raises(InvalidInput, match=f"acme is for other tenants alone.*; {remedy}"):
        carry_out(a_life("", tenant="beta"), Start(plan="acme"), when("10-16"), catalogs)


def test_the_price_list_tells_of_it_in_words() -> None:
    terms = terms_of(parse(TEXT, "f.yaml"))
    assert terms[Term("plan acme", "extends")] == "pro"
    assert terms[Term("plan acme", "only for")] == "acme"
    assert terms[Term("plan pro", "after")] == "3 months of intro"


def test_a_change_of_it_concerns_its_tenants_alone() -> None:
    old, new = parse(TEXT, "f.yaml"), parse(TEXT.replace("USD: 39", "USD: 35"), "f.yaml")
    lines = list(in_words(changes(old, new, {("acme", 1): 1})))
    assert lines[:2] == ["plan acme (1 by version 1)", "    base fee in USD: 39.00 → 35.00"]
    assert lines[2].startswith("    for acme alone, from a new order on; 1 tenant keeps it")
