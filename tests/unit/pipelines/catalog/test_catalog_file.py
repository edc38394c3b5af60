"""A price list's file: what it means, and where it is wrong."""

import pytest

from pipelines.catalog.catalog_file import canonical, parse
from pipelines.rating.rating import unit_price_pico
from schemas.catalog import Catalog
from schemas.errors import InvalidInput
from tests.builders import LLM_TOKENS_FILE, llm_tokens, units

TEXT = LLM_TOKENS_FILE.read_text()


def problems(*changes: tuple[str, str]) -> list[str]:
    """What is said of the shipped price list with some text in it changed."""
    text = TEXT
    for old, new in changes:
        assert old in text
        text = text.replace(old, new, 1)
    with pytest.raises(InvalidInput) as invalid:
        parse(text, "prices.yaml")
    return str(invalid.value).splitlines()


def test_the_shipped_price_list_is_what_it_says() -> None:
    catalog = llm_tokens()
    assert [meter.name for meter in catalog.meter_list] == [
        "tokens",
        "input_tokens",
        "output_tokens",
    ]
    assert catalog.priced_meters == ("tokens",)
    assert catalog.default_plan == "free"
    assert {name: plan.base_fee_minor("USD") for name, plan in catalog.plans.items()} == {
        "free": 0,
        "pro": 4999,
        "enterprise": 19999,
    }
    assert {name: plan.base_fee_minor("CNY") for name, plan in catalog.plans.items()} == {
        "free": 0,
        "pro": 34900,
        "enterprise": 139900,
    }
    cards = {name: plan.meters["tokens"] for name, plan in catalog.plans.items()}
    assert [card.included for card in cards.values()] == [units(n) for n in (10**5, 10**6, 10**7)]
    assert [card.hard_limit for card in cards.values()] == [100, 150, None]
    prices = [card.overage and unit_price_pico(card.overage, "USD") for card in cards.values()]
    assert prices == [None, 8_000_000, 5_000_000]
    assert catalog.costs["output_tokens"].unit_price_pico("USD") == 15_000_000


@pytest.mark.parametrize(
    ("old", "new", "at", "problem"),
    [
        ("name: llm_tokens\n", "", "currencies: [USD",
         "name: it is missing; add it"),
        ("hard_limit: 100%", "hard_limt: 100%", "hard_limt: 100%",
         "plans.free.meters.tokens.hard_limt: the key is not known; did you mean 'hard_limit'?"),
        ("hard_limit: 100%", "stop: 100%", "stop: 100%",
         "plans.free.meters.tokens.stop: "
         "the key is not known; there are included, overage, hard_limit, soft_limit, grace, "
         "thresholds, quotas"),
        ("hard_limit: 100%", "hard_limit: 99%", "99%",
         "plans.free.meters.tokens.hard_limit: 99 stops below what is included; write 100 or more"),
        ("hard_limit: 100%", "hard_limit: much", "much",
         "plans.free.meters.tokens.hard_limit: "
         "'much' is no whole percentage; write it like 100% or 100"),
        ("hard_limit: 100%", "thresholds: [80%, 99.5%]", "99.5%",
         "plans.free.meters.tokens.thresholds.1: "
         "'99.5%' is no whole percentage; write it like 100% or 100"),
        ("hard_limit: 100%", "hard_limit: 1000000", "1000000",
         "plans.free.meters.tokens.hard_limit: '1000000' is too large; write 10000 or less"),
        ("hard_limit: 100%", "thresholds: [80%, 80%]", "[80%, 80%]",
         "plans.free.meters.tokens.thresholds: thresholds must rise, such as [80, 100, 120]"),
        ("included: 100_000", "included: 100,000", "100",
         "plans.free.meters.tokens.included: "
         "'100,000' is not a number; write it like 1000000 or 49.99"),
        ("included: 100_000", "included: -1", "-1",
         "plans.free.meters.tokens.included: -1 is negative; write 0 or more, or unlimited"),
        ("included: 100_000", "included: 0.0000001", "0.0000001",
         "plans.free.meters.tokens.included: 0.0000001 has more than 6 decimals"),
        ("included: 100_000", "included: unlimited", "100%",
         "plans.free.meters.tokens.hard_limit: "
         "an unlimited meter has none; leave it out, or say how much is included"),
        ("included: 100_000", "included:", "",
         "a value is missing here; write it, or leave the key out"),
        ("aggregation: sum", "aggregation: average", "average",
         "meters.tokens.aggregation: 'average' is not known; use 'count', 'sum', 'max', "
         "'latest', 'unique_count', 'min', 'avg' or 'time_weighted'"),
        ("aggregation: sum", "aggregation: count", "tokens:",
         "meters.tokens: a count meter has no value; leave `value` out"),
        ("value: [input_tokens, output_tokens]", "value: {a: 1}", "value",
         "meters.tokens.value: a list of properties is wanted here, such as [a, b], or a * 3 + b"),
        ("value: [input_tokens, output_tokens]", "value: input_tokens / 2", "input_tokens / 2",
         "meters.tokens.value: character 14: '/' cannot be used; "
         "multiply by a decimal such as 0.001"),
        ("dimensions: [model]", "priced_by: model", "tokens:",
         "meters.tokens: 'model' is not a dimension; add it to `dimensions`"),
        ("dimensions: [model]", "filter: {tier: []}", "[]",
         "meters.tokens.filter.tier: it is empty; name at least one"),
        ("overage:\n          per: 1_000_000\n          price: {USD: 8.00, CNY: 56.00}\n        "
         "hard_limit: 150%",
         "overage: {model: matrix, by: model, prices: {default: {price: {USD: 1, CNY: 1}}}}",
         "1_000_000",
         "plans.pro.meters.tokens.included: "
         "prices by value leave nothing to be included; write 0"),
        ("included: 1_000_000\n        overage:\n          per: 1_000_000\n          "
         "price: {USD: 8.00, CNY: 56.00}\n        hard_limit: 150%",
         "included: 0\n        overage: {model: matrix, by: model, "
         "prices: {default: {price: {USD: 1, CNY: 1}}}}", "model, prices",
         "plans.pro.meters.tokens.overage.by: "
         "'model' is not what tokens is priced by; set its `priced_by`"),
        ("included: 1_000_000\n        overage:\n          per: 1_000_000\n          "
         "price: {USD: 8.00, CNY: 56.00}\n        hard_limit: 150%",
         "included: 0\n        overage: {model: matrix, by: model, "
         "prices: {small: {price: {USD: 1, CNY: 1}}}}", "prices",
         "plans.pro.meters.tokens.overage.prices: "
         "all other values have no price; add `default`"),
        ("default_plan: free", "default_plan: basic", "basic",
         "default_plan: 'basic' is not a plan; there are free, pro, enterprise"),
        ("currencies: [USD, CNY]", "currencies: []", "[]",
         "currencies: it is empty; name at least one"),
        ("currencies: [USD, CNY]", "currencies: [USD, XXX]", "XXX]",
         "currencies.1: currency 'XXX' is not supported; use USD, CNY, JPY"),
        ("USD: 49.99", "USD: 49.999", "49.999",
         "plans.pro.base_fee.USD: 49.999 has more than 2 decimals, the smallest amount of USD"),
        ("USD: 49.99", "USD: -1", "-1",
         "plans.pro.base_fee.USD: -1 is negative; write 0 or more"),
        ("USD: 49.99, CNY: 349.00", "USD: 49.99", "base_fee: {USD: 49.99",
         "plans.pro.base_fee: there is none in CNY; add it, 0 if it is free"),
        ("USD: 8.00, CNY: 56.00", "USD: 8.00", "price: {USD: 8.00",
         "plans.pro.meters.tokens.overage.price: there is none in CNY; add it"),
        ("USD: 8.00", "USD: 0.0000001", "0.0000001",
         "plans.pro.meters.tokens.overage.price.USD: "
         "0.0000001 for every 1000000 is finer than 1e-12 a unit"),
        ("per: 1_000_000", "per: 0", "0",
         "plans.pro.meters.tokens.overage.per: '0' is too small; write 1 or more"),
        ("  pro:", "  Pro:", "Pro:",
         "plans.Pro: 'Pro' is not a name; use a-z, 0-9 and _, a letter first"),
        ("costs:\n  input_tokens:", "costs:\n  inputs:", "inputs:",
         "costs.inputs: 'inputs' is not a meter; there are tokens, input_tokens, output_tokens"),
        ("      tokens:\n        included: 100_000", "      words:\n        included: 100_000",
         "words:",
         "plans.free.meters.words: "
         "'words' is not a meter; there are tokens, input_tokens, output_tokens"),
        ("hard_limit: 100%", "hard_limit: 100%\n        grace: a day", "a day",
         "plans.free.meters.tokens.grace: "
         "'a day' is no grace; write it like 10% or 30m, 24h, 3d"),
        ("hard_limit: 100%", "grace: 10%", "10%",
         "plans.free.meters.tokens.grace: "
         "there is no hard limit that it would put off; leave it out"),
        ("hard_limit: 100%", "quotas: {year: {limit: 5}}", "year",
         "plans.free.meters.tokens.quotas.year: "
         "'year' is not known; use 'billing_period', 'hour', 'day' or 'week'"),
        ("hard_limit: 100%", "quotas: {billing_period: {limit: 5}}", "billing_period",
         "plans.free.meters.tokens.quotas.billing_period: "
         "the pool is this window's limit; use `hard_limit` or `soft_limit`"),
        ("hard_limit: 100%", "quotas: {day: {limit: 5, enforcement: soft, grace: 1h}}", "1h",
         "plans.free.meters.tokens.quotas.day.grace: "
         "a soft limit denies nothing; leave the grace out"),
    ],
)  # fmt: skip
def test_an_error_names_line_column_path_reason_and_remedy(
    old: str, new: str, at: str, problem: str
) -> None:
    [told] = problems((old, new))
    name, line, column, reason = told.split(":", 3)
    assert (name, reason) == ("prices.yaml", f" {problem}")
    changed = TEXT.replace(old, new, 1).splitlines()
    assert changed[int(line) - 1][int(column) - 1 :].startswith(at)


def test_null_is_unlimited_and_a_word_instead_of_a_mapping_is_told() -> None:
    catalog = parse(
        TEXT.replace("included: 100_000\n        hard_limit: 100%", "included: null"), ""
    )
    assert catalog.plans["free"].meters["tokens"].included is None
    with pytest.raises(InvalidInput, match=r"f:1:9: meters: a mapping is wanted here"):
        parse("meters: all", "f")


def test_several_errors_are_told_at_once() -> None:
    found = problems(("USD: 8.00", "USD: eight"), ("hard_limit: 100%", "hard_limit: 1%"))
    assert len(found) == 2


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "f.yaml:1:1: the file is empty"),
        ("- a", "f.yaml:1:1: the price list: a mapping is wanted here: lines of `key: value`"),
        (
            "a: [b",
            "f.yaml:1:6: expected ',' or ']', but got '<stream end>'; correct the YAML there",
        ),
        (
            "a:\n\tb",
            "f.yaml:2:1: found character '\\t' that cannot start any token; correct the YAML",
        ),
        ("a: 1\nb: 2\na: 3", "f.yaml:3:1: 'a' is here twice, first at 1:1; keep one"),
        (
            "a: &x [1]\nb: *x",
            "f.yaml:1:4: an alias refers to this; write the text out in both places",
        ),
        ("a: &x [*x]", "f.yaml:1:4: an alias refers to this"),
        ("? [a]\n: b", "f.yaml:1:3: a key must be a word"),
        ("a: \x00", "f.yaml: unacceptable character #x0000"),
    ],
)
def test_text_that_is_not_plain_yaml_is_refused(text: str, problem: str) -> None:
    with pytest.raises(InvalidInput) as invalid:
        parse(text, "f.yaml")
    assert str(invalid.value).startswith(problem)


def test_the_canonical_form_is_read_back_as_the_same_price_list() -> None:
    catalog = llm_tokens()
    assert Catalog.model_validate_json(canonical(catalog)) == catalog
    assert canonical(Catalog.model_validate_json(canonical(catalog))) == canonical(catalog)


def test_comments_and_ways_of_writing_a_number_do_not_change_the_canonical_form() -> None:
    changed = TEXT.replace("8.00", "8.0").replace("1_000_000", "1000000").replace("150%", "'150'")
    without_comments = "\n".join(line for line in changed.splitlines() if "#" not in line)
    assert canonical(parse(without_comments, "f.yaml")) == canonical(llm_tokens())


def test_no_number_passes_through_a_float() -> None:
    text = TEXT.replace("USD: 8.00", "USD: 0.100000000000").replace("per: 1_000_000", "per: 1")
    catalog = parse(text, "f.yaml")
    overage = catalog.plans["pro"].meters["tokens"].overage
    assert overage is not None
    assert unit_price_pico(overage, "USD") == 10**11
