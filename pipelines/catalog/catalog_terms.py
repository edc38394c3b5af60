"""What a price list says, as terms in words: one short text for each fact, by subject and name.

Two price lists that agree in all terms (and in the order of their meters and taxes) charge,
count and limit alike. What a difference does to whom is in `catalog_diff`.
"""

from collections.abc import Collection, Iterator, Mapping
from typing import NamedTuple

from pydantic import BaseModel

from pipelines.catalog.price_words import price_in_words
from schemas.catalog import Catalog, Plan
from schemas.meter import Meter
from schemas.money import format_minor, parse_minor
from schemas.offers import AddOn, Coupon, Discount
from schemas.plan_policies import Policies
from schemas.prices import Percentage, PriceModel
from schemas.quantity import format_micro
from schemas.rate_card import Grace, Quota, RateCard
from schemas.tax import TaxRule

KNOWN_OF_PLANS = (
    "base_fee", "base_fee_yearly", "minimum", "maximum", "discount", "policies", "meters",
    "features", "extends", "tenants", "ramp",
)  # fmt: skip
KNOWN_OF_CARDS = (
    "included", "overage", "hard_limit", "soft_limit", "grace", "thresholds", "quotas",
)  # fmt: skip
"""What has words of its own below."""


class Term(NamedTuple):
    """Where a fact stands: of what ("plan pro"), and which ("base fee in USD")."""

    subject: str
    name: str


Terms = Mapping[Term, str]


def terms_of(catalog: Catalog) -> Terms:
    """Every fact of a price list in words, in its order."""
    return {Term(subject, name): text for subject, name, text in _all(catalog)}


def _all(catalog: Catalog) -> Iterator[tuple[str, str, str]]:
    yield "price list", "name", catalog.name
    yield "price list", "currencies", ", ".join(catalog.currencies)
    yield "price list", "default plan", catalog.default_plan
    billing = "allowed" if catalog.anniversary_billing else "not allowed"
    yield "price list", "periods from another day than the first", billing
    subjects = (
        *((f"meter {name}", _meter(it)) for name, it in catalog.meters.items()),
        *((f"plan {name}", _plan(it)) for name, it in catalog.plans.items()),
        *((f"coupon {name}", _coupon(it)) for name, it in catalog.coupons.items()),
        *((f"add-on {name}", _add_on(it)) for name, it in catalog.add_ons.items()),
        *((f"tax {tax_name(it)}", _tax(it)) for it in catalog.taxes),
        ("costs", _costs(catalog)),
        ("late usage", _late_usage(catalog)),
    )
    for subject, facts in subjects:
        for name, text in facts:
            yield subject, name, text


def _late_usage(catalog: Catalog) -> Iterator[tuple[str, str]]:
    policy = catalog.late_usage
    if policy.corrected_by != "line":
        yield "corrected by", f"a {policy.corrected_by} of its own"
    for currency, text in policy.threshold.items():
        yield f"carried on below, in {currency}", text


def _meter(meter: Meter) -> Iterator[tuple[str, str]]:
    counts, only, priced_by = meter_in_words(meter)
    facts = {
        "counts": counts,
        "only where": only,
        "keeps": ", ".join(meter.dimensions),
        "priced by": priced_by,
        "unit": meter.unit,
    }
    yield from ((name, text) for name, text in facts.items() if text)


def meter_in_words(meter: Meter) -> tuple[str, str, str | None]:
    """What it counts, of which events only, and by what its price may depend."""
    value = meter.value if isinstance(meter.value, str) else " + ".join(meter.value)
    of_value = f" of {value}" if value else ""
    only = (f"{name} is {' or '.join(map(str, them))}" for name, them in meter.filter.items())
    counts = f"{meter.aggregation}{of_value} in {meter.event_type}"
    return counts, " and ".join(only), meter.priced_by


def _plan(plan: Plan) -> Iterator[tuple[str, str]]:
    yield from _amounts("base fee", plan.base_fee)
    yield from _amounts("base fee for a year", plan.base_fee_yearly)
    yield from _amounts("minimum", plan.minimum)
    yield from _amounts("maximum", plan.maximum)
    if plan.discount:
        yield "discount", discount_in_words(plan.discount)
    for name, choice in chosen(plan.policies).items():
        yield f"policy for {name}", choice
    yield from other_plan_terms(plan)
    if plan.features:
        yield "features", ", ".join(plan.features)
    for meter, card in plan.meters.items():
        for name, text in _card(card):
            yield f"{meter}, {name}", text


def _card(card: RateCard) -> Iterator[tuple[str, str]]:
    yield "included", quantity_in_words(card.included)
    if card.overage:
        for currency in currencies_of(card.overage):
            yield f"more costs in {currency}", price_in_words(card.overage, currency)
    for name in ("hard_limit", "soft_limit"):
        if percent := getattr(card, name):
            yield name.replace("_", " "), f"{percent}% of what is included"
    if card.grace:
        yield "grace", grace_in_words(card.grace)
    yield "alerts", ", ".join(f"{percent}%" for percent in card.thresholds)
    for kind, quota in card.quotas.items():
        yield f"a {kind}", quota_in_words(quota)
    yield from other_terms(card, KNOWN_OF_CARDS)


def _coupon(coupon: Coupon) -> Iterator[tuple[str, str]]:
    yield "takes", discount_in_words(coupon)
    yield "lasts", lasting(coupon)


def _add_on(add_on: AddOn) -> Iterator[tuple[str, str]]:
    for currency in add_on.fee:
        fee = format_minor(add_on.fee_minor(currency), currency)
        yield f"fee in {currency}", f"{fee} a {add_on.interval}"


def _tax(rule: TaxRule) -> Iterator[tuple[str, str]]:
    yield "rate", tax_in_words(rule)


def _costs(catalog: Catalog) -> Iterator[tuple[str, str]]:
    for meter, cost in catalog.costs.items():
        for currency, amount in cost.price.items():
            yield f"{meter} in {currency}", f"{amount} per {cost.per:,}"


def _amounts(name: str, amounts: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for currency, text in amounts.items():
        yield f"{name} in {currency}", format_minor(parse_minor(text, currency), currency)


def other_terms(model: BaseModel, known: Collection[str]) -> Iterator[tuple[str, str]]:
    """Facts that have no words of their own; what is left at its default is not told."""
    own = model.model_dump(mode="json", exclude_defaults=True, exclude=set(known))
    for name, text in own.items():
        for key, value in text.items() if isinstance(text, dict) else (("", text),):
            yield name.replace("_", " ") + (f" in {key}" if key else ""), str(value)


def other_plan_terms(plan: Plan) -> Iterator[tuple[str, str]]:
    """Where a plan comes from, whom it is for, what comes before it, and what has no words here."""
    if plan.extends:
        yield "extends", plan.extends
    if plan.tenants:
        yield "only for", ", ".join(plan.tenants)
    if plan.ramp:
        yield "after", ramp_in_words(plan)
    yield from other_terms(plan, KNOWN_OF_PLANS)


def ramp_in_words(plan: Plan) -> str:
    """What holds first: "3 months of pro_intro, then 1 month of pro_half"."""
    return ", then ".join(
        f"{it.months} month{'' if it.months == 1 else 's'} of {it.plan}" for it in plan.ramp
    )


def currencies_of(price: PriceModel) -> list[str]:
    """The currencies that a price names anywhere, in its order."""
    if isinstance(price, Percentage):
        return list(price.fixed | price.minimum | price.maximum) or ["every currency"]
    body = price.model_dump(mode="json")
    tables = [body.get("price", {})]
    tables += [it for tier in body.get("tiers", ()) for it in (tier["price"], tier["flat"])]
    tables += [it["price"] for it in body.get("prices", {}).values()]
    return list({currency: None for table in tables for currency in table})


def quantity_in_words(micro: int | None) -> str:
    """A quantity with thousands apart: "1,000,000", "unlimited"."""
    if micro is None:
        return "unlimited"
    whole, point, part = format_micro(micro).partition(".")
    return f"{int(whole):,}{point}{part}"


def discount_in_words(discount: Discount) -> str:
    """What a discount takes: "20% off fees", "USD 5, CNY 35 off all"."""
    body = discount.model_dump(mode="json")
    amounts = ", ".join(f"{currency} {amount}" for currency, amount in discount.amount.items())
    return f"{body['percent'] if discount.percent else amounts} off {discount.on}"


def chosen(policies: Policies) -> dict[str, str]:
    """The policies that are not the usual ones, by name: {"base fee": "in advance"}."""
    named = policies.model_dump(exclude_defaults=True)
    return {name.replace("_", " "): choice.replace("_", " ") for name, choice in named.items()}


def lasting(coupon: Coupon) -> str:
    """For how long a coupon is on the bill: "once", "3 months", "forever"."""
    return "once" if coupon.lasts == 1 else str(coupon.model_dump(mode="json")["lasts"])


def grace_in_words(grace: Grace) -> str:
    """How far or how long one may go on: "10% beyond", "24 h"."""
    if grace.percent is not None:
        return f"{grace.percent}% beyond"
    minutes = (grace.seconds or 0) // 60
    return f"{minutes // 60} h" if minutes % 60 == 0 else f"{minutes} min"


def quota_in_words(quota: Quota) -> str:
    """A limit of one kind of window: "at most 50, told at 80%"."""
    words = [f"at most {quantity_in_words(quota.limit)}"]
    if quota.enforcement == "soft":
        words[0] = f"{quantity_in_words(quota.limit)}, denying nothing"
    if quota.grace:
        words.append(f"{grace_in_words(quota.grace)} of grace")
    if quota.thresholds:
        words.append("told at " + ", ".join(f"{percent}%" for percent in quota.thresholds))
    return ", ".join(words)


def tax_name(rule: TaxRule) -> str:
    """Which tax: "VAT of DE on items", "GST of CA-QC"."""
    place = "-".join(filter(None, (rule.country, rule.region)))
    of_place = f" of {place}" if place else ""
    return f"{rule.name}{of_place}" + ("" if rule.on == "all" else f" on {rule.on}")


def tax_in_words(rule: TaxRule) -> str:
    """How much it is: "19%, reverse charge"."""
    words = [str(rule.model_dump(mode="json")["rate"])]
    words += ["within the price"] if rule.included else []
    words += ["reverse charge"] if rule.reverse_charge else []
    return ", ".join(words)
