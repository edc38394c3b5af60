"""Offers in a price list's file: what they mean, and where they are wrong, by line and column."""

import pytest

from pipelines.catalog.catalog_file import canonical, parse
from schemas.catalog import Catalog
from schemas.errors import InvalidInput
from schemas.tax import Buyer

TEXT = """\
name: offers
currencies: [USD, JPY]
default_plan: pro
meters:
  tokens: {event_type: llm, aggregation: count}
  cost: {event_type: llm, aggregation: count}
plans:
  pro:
    base_fee: {USD: 49.99, JPY: 5000}
    minimum: {USD: 100, JPY: 10000}
    maximum: {USD: 500, JPY: 50000}
    discount: {percent: 12.5%, on: tokens}
    meters:
      tokens: {included: 0, overage: {price: {USD: 1, JPY: 100}}}
coupons:
  WELCOME: {percent: 20%, lasts: 3 months}
  FIVE: {amount: {USD: 5, JPY: 500}, on: fees, lasts: forever}
add_ons:
  seats: {fee: {USD: 5, JPY: 500}}
  audit: {fee: {USD: 600, JPY: 60000}, interval: year}
taxes:
  - {name: VAT, country: DE, on: items, rate: 7%}
  - {name: VAT, country: DE, rate: 19%, reverse_charge: true}
  - {name: VAT, country: JP, rate: 10%, included: true}
"""


def problems(old: str, new: str) -> list[str]:
    """What is said of the price list with some text in it changed."""
    assert old in TEXT
    with pytest.raises(InvalidInput) as invalid:
        parse(TEXT.replace(old, new, 1), "prices.yaml")
    return str(invalid.value).splitlines()


def place(text: str, part: str) -> str:
    """`line:column` of a part of a text."""
    before = text[: text.rindex(part)]
    return f"{before.count(chr(10)) + 1}:{len(before) - (before.rfind(chr(10)) + 1) + 1}"


def test_offers_are_what_they_say() -> None:
    catalog = parse(TEXT, "prices.yaml")
    pro = catalog.plans["pro"]
    assert (pro.minimum_minor("USD"), pro.maximum_minor("JPY")) == (10_000, 50_000)
    assert pro.discount is not None
    assert (pro.discount.percent, pro.discount.on) == (125_000, "tokens")
    assert {name: (it.lasts, it.amount_minor("JPY")) for name, it in catalog.coupons.items()} == {
        "WELCOME": (3, 0),
        "FIVE": (None, 500),
    }
    assert (catalog.add_ons["audit"].interval, catalog.add_ons["seats"].fee_minor("USD")) == (
        "year",
        500,
    )


def test_a_plan_without_limits_has_none() -> None:
    catalog = parse(TEXT.replace("    minimum: {USD: 100, JPY: 10000}\n", ""), "prices.yaml")
    assert catalog.plans["pro"].minimum_minor("USD") is None


def test_the_first_rule_that_fits_a_line_is_charged() -> None:
    rules = parse(TEXT, "prices.yaml").taxes
    german = Buyer("DE", "BY")
    assert [rule.rate for rule in rules if rule.fits(german, "items")] == [70_000, 190_000]
    assert [rule.rate for rule in rules if rule.fits(german, "fees")] == [190_000]
    assert not any(rule.fits(Buyer(), "fees") for rule in rules)


def test_offers_are_stored_as_they_were_written() -> None:
    catalog = parse(TEXT, "prices.yaml")
    assert Catalog.model_validate_json(canonical(catalog)) == catalog
    written = TEXT.replace("20%", "20.00 %").replace(
        "lasts: forever}", "lasts: forever} # for ever"
    )
    assert canonical(parse(written, "prices.yaml")) == canonical(catalog)


@pytest.mark.parametrize(
    ("old", "new", "at", "problem"),
    [
        ("maximum: {USD: 500,", "maximum: {USD: 50,", "50, JPY: 50000",
         "plans.pro.maximum.USD: with the base fee it comes to 99.99, below the minimum of 100.00; "
         "raise it"),
        ("minimum: {USD: 100, JPY: 10000}", "minimum: {USD: 100}", "minimum: {USD: 100}",
         "plans.pro.minimum: there is none in JPY; add it"),
        ("minimum: {USD: 100,", "minimum: {USD: 0.001,", "0.001",
         "plans.pro.minimum.USD: 0.001 has more than 2 decimals, the smallest amount of USD"),
        ("maximum: {USD: 500,", "maximum: {USD: 10000000000000.01,", "10000000000000.01",
         "plans.pro.maximum.USD: 10000000000000.01 is more than can be billed"),
        ("on: tokens", "on: tokns", "tokns",
         "plans.pro.discount.on: 'tokns' is not a meter; write all, fees, usage, or tokens"),
        ("on: tokens", "on: cost", "cost}\n    meters",
         "plans.pro.discount.on: 'cost' is not a meter; write all, fees, usage, or tokens"),
        ("percent: 12.5%, on", "percent: 0%, on", "0%, on",
         "plans.pro.discount.percent: a discount takes more than 0% and at most 100%"),
        ("percent: 20%", "percent: 101%", "101%",
         "coupons.WELCOME.percent: a discount takes more than 0% and at most 100%"),
        ("percent: 20%, ", "", "WELCOME: {lasts",
         "coupons.WELCOME: a discount has a `percent`, such as 20%, or an `amount`"),
        ("percent: 20%, ", "percent: 20%, amount: {USD: 1, JPY: 1}, ", "WELCOME: {percent",
         "coupons.WELCOME: a discount has a `percent`, such as 20%, or an `amount`"),
        ("lasts: 3 months", "lasts: a while", "a while",
         "coupons.WELCOME.lasts: 'a while' is no duration; write once, forever, or 3 months"),
        ("WELCOME:", "welcome:", "welcome:",
         "coupons.welcome: 'welcome' is no coupon; use A-Z, 0-9, _ and -, a letter first"),
        ("amount: {USD: 5, JPY: 500}", "amount: {USD: 5}", "amount: {USD: 5}",
         "coupons.FIVE.amount: there is none in JPY; add it"),
        ("seats: {fee: {USD: 5, JPY: 500}}", "seats: {fee: {USD: 5}}", "fee: {USD: 5}}\n  audit",
         "add_ons.seats.fee: there is none in JPY; add it"),
        ("interval: year", "interval: week", "week",
         "add_ons.audit.interval: 'week' is not known; use 'month' or 'year'"),
        ("country: JP", "country: Japan", "Japan",
         "taxes.2.country: 'Japan' is no country; write its two letters, such as DE"),
        ("rate: 10%", "rate: 110%", "110%", "taxes.2.rate: a tax is at most 100%"),
        ("on: items, ", "", "{name: VAT, country: DE, rate: 19%",
         "taxes.1: a rule above takes all that it fits; move it up, or take it out"),
        ("country: JP, ", "region: CA, ", "CA, rate",
         "taxes.2.region: a region is of a country; add `country`"),
        ("included: true", "included: true, reverse_charge: true", "true}\n",
         "taxes.2.reverse_charge: a price that holds the tax cannot leave it to the buyer; "
         "leave `included` out"),
        ("name: VAT, country: JP", "name: GST, country: DE", "true}\n",
         "taxes.2.included: VAT above is for the same lines; both are included or none is"),
        ("discount: {percent", "discout: {percent", "discout",
         "plans.pro.discout: the key is not known; did you mean 'discount'?"),
        ("interval: year", "every: year", "every",
         "add_ons.audit.every: the key is not known; there are fee, interval"),
    ],
)  # fmt: skip
def test_an_error_names_line_column_path_reason_and_remedy(
    old: str, new: str, at: str, problem: str
) -> None:
    text = TEXT.replace(old, new, 1)
    found = problems(old, new)
    assert f"prices.yaml:{place(text, at)}: {problem}" in found, found
