"""Hypothesis strategies of the domain: subscriptions, price lists, usage within a month."""

from decimal import Decimal
from itertools import pairwise
from typing import Any

from hypothesis import strategies as st

from pipelines.rating.rating import Usage
from pipelines.segments.segments import bounds
from schemas.catalog import Catalog
from schemas.period import BillingPeriod
from schemas.subscription import GOOD_CARD, Phase, PlanSegment, Subscription
from tests.builders import OCTOBER

PLANS = ("free", "pro", "enterprise")
CURRENCIES = ("USD", "CNY")
VALUES = ("", "small", "large", "odd")
"""Of the pricing key of `tokens`; a price list names some of them."""

_SECONDS = OCTOBER.duration_ms // 1000
_DAYS_AROUND = 40
_PHASES: tuple[Phase, ...] = ("active", "active", "active", "trial", "paused")


def instants() -> st.SearchStrategy[int]:
    """Whole seconds in and around October, its bounds and midnights more often than others."""
    days = st.integers(-_DAYS_AROUND, 31 + _DAYS_AROUND).map(lambda day: day * 86_400)
    seconds = st.integers(-86_400, _SECONDS + 86_400)
    return st.one_of(days, seconds).map(lambda second: OCTOBER.start_ms + second * 1000)


@st.composite
def subscriptions(draw: st.DrawFn, versions: tuple[int, ...] = (1,)) -> Subscription:
    """One to five plans in October's neighbourhood, some with gaps between them, some that end."""
    cuts = sorted(draw(st.sets(instants(), min_size=2, max_size=6)))
    segments = []
    for start, end in pairwise(cuts):
        if draw(st.integers(0, 4)):
            plan, version = draw(st.sampled_from(PLANS)), draw(st.sampled_from(versions))
            phase = draw(st.sampled_from(_PHASES))
            segments.append(PlanSegment(plan, version, start, end, phase=phase))
    if not segments or draw(st.booleans()):
        start = segments[-1].ends_ms if segments and segments[-1].ends_ms else cuts[-1]
        plan, version = draw(st.sampled_from(PLANS)), draw(st.sampled_from(versions))
        segments.append(PlanSegment(plan, version, start, None))
    tenant, currency = (
        draw(st.sampled_from(("a", "b", "c", "d"))),
        draw(st.sampled_from(CURRENCIES)),
    )
    return Subscription(f"sub_{tenant}", tenant, currency, GOOD_CARD, tuple(segments))


def quantities() -> st.SearchStrategy[int]:
    """1e-6 units: nothing, crumbs, whole units around what plans include, and corrections."""
    return st.one_of(
        st.integers(-(10**9), 10**9),
        st.integers(-2, 25_000_000).map(lambda whole: whole * 10**6),
        st.integers(0, 3 * 10**13),
    )


@st.composite
def usage_of(draw: st.DrawFn, subscription: Subscription, period: BillingPeriod = OCTOBER) -> Usage:
    """Usage by meter, segment and value, also in segments where no plan is in force."""
    numbers = st.integers(0, len(bounds(subscription, period)))
    values = [("tokens", value) for value in VALUES] + [("calls", ""), ("input_tokens", "")]
    keys = st.builds(lambda of, segment: (of[0], segment, of[1]), st.sampled_from(values), numbers)
    return draw(st.dictionaries(keys, quantities(), max_size=12))


@st.composite
def catalogs(draw: st.DrawFn, with_policies: bool = False) -> Catalog:
    """A price list of two priced meters and one that is only counted, with any prices."""
    plans = {name: draw(_plans()) for name in PLANS}
    if with_policies:
        plans = {name: plan | {"policies": draw(_policies())} for name, plan in plans.items()}
    sums: dict[str, dict[str, Any]] = {
        name: {"event_type": "x", "aggregation": "sum", "value": ["v"]}
        for name in ("tokens", "input_tokens")
    }
    sums["tokens"] |= {"dimensions": ["model"], "priced_by": "model"}
    meters = sums | {"calls": {"event_type": "x", "aggregation": "count"}}
    body = {
        "name": "any",
        "currencies": CURRENCIES,
        "default_plan": "free",
        "meters": meters,
        "plans": plans,
    }
    return Catalog.model_validate(body)


@st.composite
def _policies(draw: st.DrawFn) -> dict[str, str]:
    """Any choices that do not exclude each other."""
    proration = draw(st.sampled_from(("second", "day", "none")))
    pools = ("per_period",) if proration == "none" else ("per_period", "per_segment")
    return {
        "base_fee": draw(st.sampled_from(("in_arrears", "in_advance"))),
        "proration": proration,
        "included_on_upgrade": draw(st.sampled_from(("prorated", "full"))),
        "pool": draw(st.sampled_from(pools)),
    }


@st.composite
def _plans(draw: st.DrawFn) -> dict[str, Any]:
    fees = {currency: _decimal(draw(st.integers(0, 10**6)), 2) for currency in CURRENCIES}
    named = draw(st.sets(st.sampled_from(("tokens", "calls"))))
    cards = {meter: draw(_cards("model" if meter == "tokens" else None)) for meter in sorted(named)}
    return {"base_fee": fees, "meters": cards}


@st.composite
def _cards(draw: st.DrawFn, priced_by: str | None) -> dict[str, Any]:
    if draw(st.integers(0, 5)) == 0:
        return {"included": None}
    included = _decimal(draw(st.integers(0, 3 * 10**13)), 6)
    if draw(st.booleans()):
        return {"included": included}
    overage = draw(prices(priced_by))
    return {"included": "0" if "by" in overage else included, "overage": overage}


@st.composite
def amounts(draw: st.DrawFn, most_pico: int = 10**12) -> dict[str, str]:
    """An amount in each currency, up to one major unit."""
    return {currency: _decimal(draw(st.integers(0, most_pico)), 12) for currency in CURRENCIES}


_LEAST = Decimal("0.000000000001")


@st.composite
def prices(draw: st.DrawFn, priced_by: str | None = None) -> dict[str, Any]:
    """A price of any model; by value where there is a pricing key."""
    models = ["per_unit", "package", "graduated", "volume", "percentage"]
    model = draw(st.sampled_from([*models, *(["matrix"] * 2 if priced_by else [])]))
    if model == "matrix":
        named = draw(st.sets(st.sampled_from(("small", "large"))))
        rows = {value: {"price": draw(amounts())} for value in ("default", *sorted(named))}
        return {"model": model, "by": priced_by, "prices": rows}
    if model == "per_unit":
        return {"price": draw(amounts())}
    if model == "package":
        return {
            "model": model,
            "per": draw(st.sampled_from([1, 7, 10**6])),
            "price": draw(amounts()),
        }
    if model == "percentage":
        fixed, more = draw(amounts()), draw(amounts())
        minimum = {c: f"{Decimal(fixed[c]) + Decimal(more[c]) + _LEAST:f}" for c in fixed}
        most = {currency: str(Decimal(least) + 10) for currency, least in minimum.items()}
        rate = f"{_decimal(draw(st.integers(0, 10**6)), 4)}%"
        bounded = {"fixed": fixed, "minimum": minimum, "maximum": most}
        named = draw(st.sets(st.sampled_from(sorted(bounded))))
        return {"model": model, "rate": rate} | {name: bounded[name] for name in named}
    bounds = sorted(draw(st.sets(st.integers(1, 25_000_000), max_size=3)))
    tiers: list[dict[str, Any]] = [{"up_to": bound, "price": draw(amounts())} for bound in bounds]
    tiers.append({"price": draw(amounts()), "flat": draw(amounts(10**15))})
    return {"model": model, "tiers": tiers}


def _decimal(number: int, digits: int) -> str:
    return f"{number // 10**digits}.{number % 10**digits:0{digits}d}"
