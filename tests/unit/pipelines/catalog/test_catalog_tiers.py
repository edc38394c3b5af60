"""Prices in a price list's file that contradict themselves, by line, column, reason and remedy."""

import pytest

from pipelines.catalog.catalog_file import parse
from schemas.errors import InvalidInput

TEXT = """\
name: tiers
currencies: [USD, JPY]
default_plan: pro
meters:
  tokens: {event_type: llm, aggregation: count}
  calls: {event_type: api, aggregation: count}
  paid: {event_type: pay, aggregation: sum, value: [amount]}
  gpu: {event_type: gpu, aggregation: count, dimensions: [model], priced_by: model}
plans:
  pro:
    base_fee: {USD: 49.99, JPY: 5000}
    meters:
      tokens:
        included: 1_000
        overage:
          model: graduated
          tiers:
            - {up_to: 1_000, price: {USD: 1, JPY: 100}}
            - {up_to: 5_000, price: {USD: 0.5, JPY: 50}, flat: {USD: 3, JPY: 300}}
            - {price: {USD: 0.2, JPY: 20}}
      calls:
        included: 0
        overage: {model: package, per: 1_000, price: {USD: 5, JPY: 500}}
      paid:
        included: 0
        overage: {model: percentage, rate: 2.9%, minimum: {USD: 1, JPY: 100}, maximum: {USD: 9, JPY: 900}}
      gpu:
        included: 0
        overage:
          model: matrix
          by: model
          prices:
            small: {price: {USD: 1, JPY: 100}}
            default: {price: {USD: 5, JPY: 500}}
"""  # noqa: E501 - a line of a price list is not cut
CARD = "plans.pro.meters"
UNLISTED = "CNY is not in `currencies`; add it there, or leave it out here"

YEARLY = "    base_fee_yearly: {USD: 365, JPY: 36500}\n"
FULL_FEE = (
    "what is left of a year is given back of its whole fee; "
    "write the lower fees instead, or `on: usage`"
)


def told(old: str, new: str) -> list[str]:
    """What is said of the price list with some text in it changed."""
    assert old in TEXT
    with pytest.raises(InvalidInput) as invalid:
        parse(TEXT.replace(old, new, 1), "prices.yaml")
    return str(invalid.value).splitlines()


def place(old: str, new: str, at: str) -> str:
    """Line and column of the last text like this in the changed price list."""
    text = TEXT.replace(old, new, 1)
    before = text[: text.rindex(at)]
    return f"{before.count(chr(10)) + 1}:{len(before) - before.rfind(chr(10))}"


def test_the_price_list_is_well_formed() -> None:
    assert len(parse(TEXT, "prices.yaml").priced_meters) == 4


@pytest.mark.parametrize(
    ("old", "new", "at", "problem"),
    [
        ("[USD, JPY]", "[USD, JPY, USD]", "USD]", "currencies.2: USD is here twice; keep one"),
        ("JPY: 5000}", "JPY: 5000, CNY: 350}", "350}", f"plans.pro.base_fee.CNY: {UNLISTED}"),
        ("    base_fee", "    minimum: {USD: 60, JPY: 6000, CNY: 420}\n    base_fee", "420}",
         f"plans.pro.minimum.CNY: {UNLISTED}"),
        ("price: {USD: 1, JPY: 100}", "price: {USD: 1, JPY: 100, CNY: 7}", "7}",
         f"{CARD}.tokens.overage.tiers.0.price.CNY: {UNLISTED}"),
        ("flat: {USD: 3, JPY: 300}", "flat: {USD: 3, JPY: 300, CNY: 21}", "21}",
         f"{CARD}.tokens.overage.tiers.1.flat.CNY: {UNLISTED}"),
        ("price: {USD: 5, JPY: 500}}\n", "price: {USD: 5, JPY: 500, CNY: 35}}\n", "35}",
         f"{CARD}.calls.overage.price.CNY: {UNLISTED}"),
        ("minimum: {USD: 1, JPY: 100}", "minimum: {USD: 1, JPY: 100, CNY: 7}", "7}",
         f"{CARD}.paid.overage.minimum.CNY: {UNLISTED}"),
        ("default: {price: {USD: 5, JPY: 500}}", "default: {price: {USD: 5, JPY: 500, CNY: 35}}",
         "35}", f"{CARD}.gpu.overage.prices.default.price.CNY: {UNLISTED}"),
        ("plans:", "add_ons: {seats: {fee: {USD: 5, JPY: 500, CNY: 35}}}\nplans:", "35}",
         f"add_ons.seats.fee.CNY: {UNLISTED}"),
        ("plans:", "coupons: {HI: {amount: {USD: 5, JPY: 500, CNY: 35}, lasts: once}}\nplans:",
         "35}", f"coupons.HI.amount.CNY: {UNLISTED}"),
        ("plans:", "late_usage: {threshold: {USD: 5, CNY: 35}}\nplans:", "35}",
         f"late_usage.threshold.CNY: {UNLISTED}"),
        ("included: 1_000\n",
         "included: 1_000\n        hard_limit: 120%\n        soft_limit: 121%\n", "121%",
         f"{CARD}.tokens.soft_limit: usage stops at the hard limit of 120%; write that or less"),
        ("    base_fee", f"{YEARLY}    discount: {{percent: 50%}}\n    base_fee",
         "discount: {percent: 50%",
         f"plans.pro.discount: {FULL_FEE}"),
        ("    base_fee", f"{YEARLY}    discount: {{percent: 5%, on: fees}}\n    base_fee",
         "discount: {percent: 5%", f"plans.pro.discount: {FULL_FEE}"),
    ],
)  # fmt: skip
def test_what_cannot_be_had_is_refused(old: str, new: str, at: str, problem: str) -> None:
    assert f"prices.yaml:{place(old, new, at)}: {problem}" in told(old, new), told(old, new)


def test_a_soft_limit_at_the_hard_one_is_allowed() -> None:
    limits = "included: 1_000\n        hard_limit: 120%\n        soft_limit: 120%\n"
    assert parse(TEXT.replace("included: 1_000\n", limits, 1), "prices.yaml")


def test_usage_may_be_discounted_beside_a_year() -> None:
    terms = f"{YEARLY}    discount: {{percent: 50%, on: usage}}\n    base_fee"
    assert parse(TEXT.replace("    base_fee", terms, 1), "prices.yaml")


@pytest.mark.parametrize(
    ("old", "new", "at", "problem"),
    [
        ("up_to: 5_000", "up_to: 1_000", "{up_to: 1_000, price: {USD: 0.5",
         "tokens.overage.tiers.1: it overlaps the tier before, which goes up to 1000; write more"),
        ("up_to: 5_000", "up_to: 999.5", "{up_to: 999.5",
         "tokens.overage.tiers.1: it overlaps the tier before, which goes up to 1000; write more"),
        ("up_to: 5_000, ", "", "{price: {USD: 0.5",
         "tokens.overage.tiers.1: "
         "only the last tier may be without end; say up to where this one goes"),
        ("- {price: {USD: 0.2", "- {up_to: 9_000, price: {USD: 0.2", "{up_to: 9_000",
         "tokens.overage.tiers.2: what is above 9000 has no price; leave `up_to` out here"),
        ("price: {USD: 0.5, JPY: 50}", "price: {USD: 0.5}", "price: {USD: 0.5}",
         "tokens.overage.tiers.1.price: there is none in JPY; add it"),
        ("flat: {USD: 3, JPY: 300}", "flat: {JPY: 300}", "flat: {JPY",
         "tokens.overage.tiers.1.flat: there is none in USD; add it"),
        ("- {price: {USD: 0.2, JPY: 20}}", "- {per: 10}", "{per: 10}",
         "tokens.overage.tiers.2: "
         "a tier has a `price`, a `flat` amount or both; write 0 if it is free"),
        ("price: {USD: 0.2, JPY: 20}", "price: {USD: -0.2, JPY: 20}", "-0.2",
         "tokens.overage.tiers.2.price.USD: -0.2 is negative; write 0 or more"),
        ("model: graduated", "model: stairs", "overage:\n          model: stairs",
         "tokens.overage: the model is not known; "
         "use per_unit, package, graduated, volume, percentage or matrix"),
        ("price: {USD: 5, JPY: 500}}\n      paid", "price: {USD: 5}}\n      paid",
         "price: {USD: 5}}\n      paid", "calls.overage.price: there is none in JPY; add it"),
        ("per: 1_000", "per: 0.5", "0.5",
         "calls.overage.per: '0.5' is not a whole number; write it like 1000000 or 1_000_000"),
        ("minimum: {USD: 1, JPY: 100}", "minimum: {USD: 1}", "minimum: {USD: 1}",
         "paid.overage.minimum: there is none in JPY; add it"),
        ("maximum: {USD: 9, JPY: 900}", "maximum: {USD: 0.5, JPY: 900}", "0.5, JPY: 900",
         "paid.overage.maximum.USD: it is below the minimum of 1; raise it"),
        ("rate: 2.9%", "rate: 2.9%, fixed: {USD: 1, JPY: 10}", "1, JPY: 100}, maximum",
         "paid.overage.minimum.USD: "
         "the fixed part of 1 reaches it alone; raise it, or leave it out"),
        ("minimum: {USD: 1,", "fixed: {USD: 9.5, JPY: 10}, minimum: {USD: 10,", "9, JPY: 900",
         "paid.overage.maximum.USD: it is below the fixed part of 9.5; raise it"),
        ("rate: 2.9%", "rate: 2.9%, fixed: {USD: 0.3}", "fixed",
         "paid.overage.fixed: there is none in JPY; add it"),
        ("rate: 2.9%", "rate: 2.90001%", "2.90001%",
         "paid.overage.rate: 2.90001 has more than 4 decimals"),
        ("small: {price: {USD: 1, JPY: 100}}", "small: {price: {USD: 1}}", "price: {USD: 1}}",
         "gpu.overage.prices.small.price: there is none in JPY; add it"),
        ("default: {price: {USD: 5", "other: {price: {USD: 5", "prices:\n            small",
         "gpu.overage.prices: all other values have no price; add `default`"),
        ("  by: model", "  by: region", "region",
         "gpu.overage.by: 'region' is not what gpu is priced by; set its `priced_by`"),
        ("included: 1_000\n", "included: 1_000\n        hard_limit: 90%\n", "90%",
         "tokens.hard_limit: 90 stops below what is included; write 100 or more"),
        ("included: 1_000\n", "included: 1_000\n        soft_limit: 90%\n", "90%",
         "tokens.soft_limit: 90 stops below what is included; write 100 or more"),
        ("      calls:\n        included", "      call:\n        included", "call:\n",
         "call: 'call' is not a meter; there are tokens, calls, paid, gpu"),
    ],
)  # fmt: skip
def test_a_contradiction_is_refused_by_line_and_column_with_a_remedy(
    old: str, new: str, at: str, problem: str
) -> None:
    line = f"prices.yaml:{place(old, new, at)}: {CARD}.{problem}"
    assert line in told(old, new), told(old, new)
