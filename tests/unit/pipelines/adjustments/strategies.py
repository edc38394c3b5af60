"""Hypothesis strategies: price lists with offers of every kind, and tenants who have them."""

from dataclasses import dataclass, replace
from typing import Any

from hypothesis import strategies as st

from pipelines.adjustments.case import Case
from pipelines.adjustments.given import given_by_tenant
from schemas.catalog import Catalog
from schemas.extras import NOTHING, Extras
from schemas.invoice import InvoiceLine
from schemas.subscription import Phase, Subscription
from tests.builders import OCTOBER
from tests.strategies import PLANS, instants, subscriptions
from tests.unit.pipelines.adjustments.builders import CURRENCIES, METERS, a_catalog, extras

COUNTRIES = ("DE", "FR", "US")
COUPONS = ("FIRST", "SECOND")
ADD_ONS = ("seats", "audit")

minor = st.one_of(st.integers(0, 300), st.integers(0, 10**6))


def _amounts(most: int = 10**5, least: int = 0) -> st.SearchStrategy[dict[str, str]]:
    amount = st.integers(least, most).map(lambda n: f"{n // 100}.{n % 100:02}")
    return st.fixed_dictionaries(dict.fromkeys(CURRENCIES, amount))


def _percents(least: int = 1) -> st.SearchStrategy[str]:
    return st.integers(least, 10**6).map(lambda ppm: f"{ppm // 10**4}.{ppm % 10**4:04}%")


@st.composite
def _discounts(draw: st.DrawFn) -> dict[str, Any]:
    on = draw(st.sampled_from(("all", "fees", "usage", *METERS)))
    kind = draw(st.sampled_from(("percent", "amount")))
    return {"on": on, kind: draw(_percents() if kind == "percent" else _amounts(3000))}


@st.composite
def _terms(draw: st.DrawFn) -> dict[str, Any]:
    """A plan's terms; where it has both limits they are so far apart that they agree."""
    terms: dict[str, Any] = {}
    if draw(st.booleans()):
        terms["minimum"] = draw(_amounts(5_000))
    if draw(st.booleans()):
        terms["maximum"] = draw(_amounts(10**5, 5_000))
    if draw(st.booleans()):
        terms["discount"] = draw(_discounts())
    return terms


@st.composite
def _taxes(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Up to three rules of two names; those that contradict another are left out."""
    places = st.sampled_from((*COUNTRIES, None))
    rules: list[dict[str, Any]] = []
    for name in draw(st.lists(st.sampled_from(("VAT", "GST")), max_size=3)):
        included = draw(st.booleans())
        rule = {
            "name": name,
            "country": draw(places),
            "on": draw(st.sampled_from(("all", "fees", "usage", "add_ons", "items"))),
            "rate": draw(_percents(0)),
            "included": included,
            "reverse_charge": draw(st.booleans()) and not included,
        }
        if rule["country"] == "US":
            rule["region"] = draw(st.sampled_from(("CA", None)))
        try:
            a_catalog({"free": {}}, taxes=[*rules, rule])
        except ValueError:
            continue
        rules.append(rule)
    return rules


@st.composite
def catalogs(draw: st.DrawFn) -> Catalog:
    """A price list with any offers."""
    coupons = {name: draw(_discounts()) | {"lasts": "forever"} for name in COUPONS}
    add_ons = {
        "seats": {"fee": draw(_amounts())},
        "audit": {"fee": draw(_amounts()), "interval": "year"},
    }
    plans = {name: draw(_terms()) for name in PLANS}
    return a_catalog(plans, coupons=coupons, add_ons=add_ons, taxes=draw(_taxes()))


def in_dollars(catalog: Catalog) -> Catalog:
    """A later price list that has dropped every other currency."""

    def kept(told: Any) -> Any:
        if isinstance(told, dict):
            return {name: kept(each) for name, each in told.items() if name != "CNY"}
        return told

    return Catalog.model_validate(kept(catalog.model_dump(mode="json")) | {"currencies": ("USD",)})


@st.composite
def lives(draw: st.DrawFn) -> Subscription:
    """A subscription that is in October, with trials, pauses and years among its segments."""
    found = draw(subscriptions(versions=(1, 2)).filter(lambda s: s.parts(OCTOBER)))
    phases: st.SearchStrategy[Phase] = st.sampled_from(
        ("active", "active", "active", "trial", "paused")
    )
    segments = tuple(
        replace(each, phase=draw(phases), interval=draw(st.sampled_from(("month", "year"))))
        for each in found.segments
    )
    return replace(found, segments=segments)


@st.composite
def rated_lines(draw: st.DrawFn, subscription: Subscription) -> list[InvoiceLine]:
    """Fees and usage of any amounts, corrections below zero among them."""
    lines = []
    for segment, part in subscription.parts(OCTOBER):
        fee = draw(minor)
        lines.append(InvoiceLine("base_fee", segment.plan, part, fee, fee_minor=fee))
        for meter in METERS:
            if draw(st.booleans()):
                amount = draw(st.one_of(minor, st.integers(-500, 0)))
                lines.append(InvoiceLine("overage", segment.plan, part, amount, meter, 10**6))
    return lines


@st.composite
def _spans(draw: st.DrawFn) -> tuple[int, int | None]:
    starts, ends = draw(instants()), draw(st.none() | instants())
    return (starts, None) if ends is None or ends <= starts else (starts, ends)


@st.composite
def _has(
    draw: st.DrawFn, tenant: str, of: tuple[int, ...] = (1, 2)
) -> dict[str, list[tuple[Any, ...]]]:
    """What a tenant has beside its plan, of these versions of the price list."""
    versions = st.sampled_from(of)
    region, tax_id = draw(st.sampled_from(("CA", None))), draw(st.sampled_from(("ID1", None)))
    country = draw(st.sampled_from((*COUNTRIES, None)))
    coupons = draw(st.sets(st.sampled_from(COUPONS)))
    years = st.sampled_from((0, 365, 366, 730)).map(lambda days: days * 86_400_000)
    return {
        "buyers": [(tenant, country, region, tax_id)] if draw(st.booleans()) else [],
        "redemptions": [(tenant, c, draw(versions), *draw(_spans())) for c in sorted(coupons)],
        "add_ons": [
            (tenant, f"k{n}", add_on, draw(versions), draw(st.integers(1, 3)), start - ago, end)
            for n, add_on in enumerate(draw(st.lists(st.sampled_from(ADD_ONS), max_size=3)))
            for (start, end), ago in [(draw(_spans()), draw(years))]
        ],
        "items": [
            (tenant, f"i{n}", "2026-10", draw(st.sampled_from(CURRENCIES)), amount, f"Item {n}")
            for n, amount in enumerate(draw(st.lists(st.integers(1, 5000), max_size=2)))
        ],
        "credits": draw(credit_rows(tenant)),
    }


@st.composite
def credit_rows(draw: st.DrawFn, tenant: str) -> list[tuple[Any, ...]]:
    """Up to four grants with what is left of them; ends of October among their bounds."""
    bounds = st.one_of(instants(), st.just(OCTOBER.end_ms), st.just(OCTOBER.end_ms + 1))
    rows = []
    for n, amount in enumerate(draw(st.lists(st.integers(1, 20_000), max_size=4))):
        currency = draw(st.sampled_from(CURRENCIES))
        span = (draw(bounds), draw(st.none() | bounds))
        left = draw(st.integers(1, amount))
        rows.append((tenant, f"g{n}", currency, amount, *span, draw(st.integers(0, 2)), left))
    return rows


@dataclass(frozen=True)
class Month:
    """Some subscriptions in October, their lines, and what their tenants have."""

    catalogs: dict[int, Catalog]
    lines: list[tuple[Subscription, list[InvoiceLine]]]
    extras: Extras

    def cases(self) -> list[Case]:
        """The month, one invoice at a time."""
        given = given_by_tenant(self.extras)
        return [
            Case(
                each,
                OCTOBER,
                self.catalogs,
                lines,
                given.get(each.tenant, NOTHING),
                self.catalogs[2].taxes,
            )
            for each, lines in self.lines
        ]


@st.composite
def months(draw: st.DrawFn) -> Month:
    """A month of up to three tenants on two versions of a price list; they may keep of a third."""
    versions = {1: draw(catalogs()), 2: draw(catalogs()), 3: in_dollars(draw(catalogs()))}
    found = draw(st.lists(lives(), min_size=1, max_size=3, unique_by=lambda s: s.tenant))
    has: dict[str, list[tuple[Any, ...]]] = {}
    for each in found:
        for name, rows in draw(_has(each.tenant, tuple(versions))).items():
            has.setdefault(name, []).extend(rows)
    lines = [(each, draw(rated_lines(each))) for each in sorted(found, key=lambda s: s.tenant)]
    return Month(versions, lines, extras(**has))
