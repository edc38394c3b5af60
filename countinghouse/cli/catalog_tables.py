"""A price list as tables for a person: plans, prices, meters, offers, taxes, costs."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from pipelines.catalog.catalog_terms import (
    KNOWN_OF_CARDS,
    chosen,
    discount_in_words,
    grace_in_words,
    lasting,
    meter_in_words,
    other_plan_terms,
    other_terms,
    quantity_in_words,
    quota_in_words,
    tax_in_words,
    tax_name,
)
from pipelines.catalog.price_words import price_in_words
from schemas.catalog import Catalog, Plan
from schemas.money import format_minor, parse_minor
from schemas.price_terms import Amounts
from schemas.quantity import format_micro
from schemas.rate_card import RateCard

Row = tuple[str | None, ...]


class Section(NamedTuple):
    """A table with its title."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Row]


def tables_of(catalog: Catalog, *, for_person: bool) -> Iterator[Section]:
    """The tables that have rows, without the columns that say nothing.

    A person sees several texts of a cell one below the other, and thousands apart.
    """
    for title, columns, rows in _sections(catalog, "\n" if for_person else "; "):
        filled = [n for n in range(len(columns)) if any(row[n] for row in rows)]
        if rows:
            shown = [tuple(row[n] for n in filled) for row in rows]
            yield Section(title, [columns[n] for n in filled], shown)


def _sections(catalog: Catalog, between: str) -> Iterator[Section]:
    fees = ("plan", "base_fee", "base_fee_yearly", "minimum", "maximum", "discount", "policies",
            "features", "terms")  # fmt: skip
    plans = [_plan(name, plan, between) for name, plan in catalog.plans.items()]
    yield Section("Plans", fees, plans)
    terms = ("included", "overage", "hard_limit", "soft_limit", "grace", "quotas", "alerts")
    cards = [
        (name, meter, *_card(card, catalog, between))
        for name, plan in catalog.plans.items()
        for meter, card in plan.meters.items()
    ]
    yield Section("Usage", ("plan", "meter", *terms, "terms"), cards)
    meters = [(it.name, *meter_in_words(it), it.unit) for it in catalog.meters.values()]
    yield Section("Meters", ("meter", "counts", "only", "priced_by", "unit"), meters)
    coupons = [(n, discount_in_words(it), lasting(it)) for n, it in catalog.coupons.items()]
    yield Section("Coupons", ("coupon", "takes", "lasts"), coupons)
    add_ons = [(n, _money(it.fee, between), it.interval) for n, it in catalog.add_ons.items()]
    yield Section("Add-ons", ("add_on", "fee", "every"), add_ons)
    taxes = [(tax_name(rule), tax_in_words(rule)) for rule in catalog.taxes]
    yield Section("Taxes, the first that fits", ("tax", "rate"), taxes)
    costs = [
        (meter, _costs(cost.price, cost.per, between)) for meter, cost in catalog.costs.items()
    ]
    yield Section("What usage costs us", ("meter", "cost"), costs)


def _plan(name: str, plan: Plan, between: str) -> Row:
    return (
        name,
        _money(plan.base_fee, between),
        _money(plan.base_fee_yearly, between),
        _money(plan.minimum, between),
        _money(plan.maximum, between),
        discount_in_words(plan.discount) if plan.discount else None,
        between.join(f"{name}: {choice}" for name, choice in chosen(plan.policies).items()),
        between.join(plan.features),
        between.join(f"{what} {text}" for what, text in other_plan_terms(plan)),
    )


def _card(card: RateCard, catalog: Catalog, between: str) -> Row:
    more = "not billed" if card.included is not None else None
    if card.overage:
        prices = (f"{it} {price_in_words(card.overage, it)}" for it in catalog.currencies)
        more = between.join(prices)
    quotas = (f"a {kind} {quota_in_words(quota)}" for kind, quota in card.quotas.items())
    return (
        _included(card.included, between),
        more,
        f"{card.hard_limit}%" if card.hard_limit else None,
        f"{card.soft_limit}%" if card.soft_limit else None,
        grace_in_words(card.grace) if card.grace else None,
        between.join(quotas),
        ", ".join(f"{percent}%" for percent in card.thresholds) if card.included else None,
        between.join(f"{what} {text}" for what, text in other_terms(card, KNOWN_OF_CARDS)),
    )


def _included(micro: int | None, between: str) -> str:
    return (
        format_micro(micro) if micro is not None and between != "\n" else quantity_in_words(micro)
    )


def _money(amounts: Amounts, between: str) -> str:
    told = {it: format_minor(parse_minor(text, it), it) for it, text in amounts.items()}
    return between.join(f"{currency} {amount}" for currency, amount in told.items())


def _costs(amounts: Amounts, per: int, between: str) -> str:
    return between.join(f"{it} {amount} per {per:,}" for it, amount in amounts.items())
