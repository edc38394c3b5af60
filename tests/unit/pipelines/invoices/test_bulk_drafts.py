"""Drafts made in bulk are the specification's, byte for byte, for whatever stands on them."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.invoices.bulk_drafts import draft_parts
from pipelines.invoices.draft_tables import part_of
from pipelines.invoices.invoicing import Basis, basis, draft_all
from pipelines.rating.proration import prorate_fees
from pipelines.rating.rating import rate_usage
from pipelines.segments.segment_tables import segment_table
from schemas.catalog import Catalog
from schemas.closing import Closing
from schemas.extras import Given, Redemption
from schemas.invoice import ADJUSTING_KINDS, InvoiceLine
from schemas.subscription import Phase, Subscription
from schemas.tax import Buyer
from schemas.vector import Vector
from tests.builders import OCTOBER, a_subscription, llm_tokens
from tests.strategies import catalogs, subscriptions, usage_of
from tests.unit.pipelines.adjustments.builders import lines_table

VECTOR = Vector({(1, 0): 5, (1, 10): 7, (2, 2): 9})
CLOSING = Closing("2026-10", VECTOR, 1, "1.0", 0)

Lines = list[tuple[Subscription, list[InvoiceLine]]]


@st.composite
def months(draw: st.DrawFn) -> tuple[Lines, Basis]:
    """Some tenants of any names on three price lists, their lines, and what they were given."""
    some = st.lists(subscriptions(versions=(1, 2, 10)), max_size=5)
    names = st.text(st.characters(exclude_categories=["Cs"]), max_size=3)
    found = [
        replace(
            each,
            id=f"sub {ordinal}{draw(names)}",
            tenant=f"{ordinal}{draw(names)}",
            anchor_day=draw(st.sampled_from((1, 1, 16, 31))),
            segments=tuple(
                replace(it, interval=draw(st.sampled_from(("month", "year"))))
                for it in each.segments
            ),
        )
        for ordinal, each in enumerate(draw(some))
    ]
    versions = {n: draw(_price_lists()) for n in (1, 2, 10)}
    lines = [(each, draw(_lines(each, versions))) for each in found]
    gifts = {each.tenant: draw(_gifts(each.tenant)) for each in found if draw(st.booleans())}
    return [(s, own) for s, own in lines if own], basis(CLOSING, versions, gifts)


@st.composite
def _price_lists(draw: st.DrawFn) -> Catalog:
    body = json.loads(draw(catalogs(with_policies=draw(st.booleans()))).model_dump_json())
    pro = body["plans"]["pro"]
    if pro.get("policies", {}).get("proration") != "none" and draw(st.booleans()):
        pro["base_fee_yearly"] = pro["base_fee"]
    return Catalog.model_validate(body)


@st.composite
def _lines(
    draw: st.DrawFn, subscription: Subscription, versions: dict[int, Catalog]
) -> list[InvoiceLine]:
    period = subscription.billed_in(OCTOBER)
    lines = prorate_fees(subscription, period, versions)
    usage = draw(usage_of(subscription, period))
    lines = [*lines, *rate_usage(subscription, period, versions, usage)]
    if draw(st.booleans()) and lines:
        lines += draw(st.lists(_following(lines[-1]), max_size=3))
    if lines and draw(st.integers(0, 4)) == 0:
        unusual: list[Any] = [{"name": 'a "b"'}, {"value": 'a "b"'}]
        what = draw(st.sampled_from(unusual))
        lines[-1] = replace(lines[-1], **what)
    return lines


def _following(line: InvoiceLine) -> st.SearchStrategy[InvoiceLine]:
    """A line that follows from fees and usage, whatever it says."""
    small, plain = st.integers(-(10**6), 10**6), replace(line, value=None, fee_minor=None)
    return st.builds(
        lambda **said: replace(plain, **said),
        kind=st.sampled_from(ADJUSTING_KINDS),
        amount_minor=small,
        name=st.sampled_from((None, "VAT", "Umsatzsteuer für Bücher")),
        product=st.sampled_from((None, "fees", "usage")),
        rate_ppm=st.none() | small,
        base_minor=st.none() | small,
        tax_minor=st.none() | small,
        meter=st.sampled_from((None, "tokens")),
    )


def _gifts(tenant: str) -> st.SearchStrategy[Given]:
    return st.sampled_from(
        [
            Given(Buyer(country="DE")),
            Given(Buyer("US", "CA", "12-3")),
            Given(Buyer(tax_id="Ä 1")),
            Given(Buyer("", None, 'a "b"')),
            Given(redemptions=(Redemption(tenant, "NEW", 2, 0),)),
        ]
    )


@settings(max_examples=25)
@given(months(), st.integers(1, 3))
def test_bulk_drafts_equal_the_specification(month: tuple[Lines, Basis], at_once: int) -> None:
    lines, rests_on = month
    found = [subscription for subscription, _ in lines]
    table = lines_table(lines)
    drafts = list(draft_all(table, {each.id: each for each in found}, rests_on))
    made = list(draft_parts(table, segment_table(found), rests_on, at_once))
    of_bulk = [row for heads, _ in made for row in heads.to_pylist()]
    lines_of_bulk = [row for _, own in made for row in own.to_pylist()]
    heads, own = part_of(drafts)
    assert of_bulk == heads.to_pylist()
    assert lines_of_bulk == own.to_pylist()
    assert all(part.num_rows <= at_once for part, _ in made)


def test_the_document_of_a_usual_invoice_is_made_by_statements(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("pipelines.invoices.bulk_drafts.draft_all", pytest.fail)
    found = a_subscription("free 09-01, pro 10-16", "müller")
    lines = lines_table([(found, prorate_fees(found, OCTOBER, {1: llm_tokens()}))])
    [(drafts, own)] = draft_parts(lines, segment_table([found]), basis(CLOSING, {1: llm_tokens()}))
    assert drafts["id"].to_pylist() == ["sub_müller:2026-10"]
    assert own["ordinal"].to_pylist() == [1, 2, 3]


def test_whoever_is_taxed_and_uses_a_credit_is_usual_too(monkeypatch: pytest.MonkeyPatch) -> None:
    found = a_subscription("pro 09-01", "acme")
    catalogs = {1: llm_tokens()}
    fees = prorate_fees(found, OCTOBER, catalogs)
    tax = InvoiceLine("tax", "pro", OCTOBER, 950, name="VAT", rate_ppm=190_000, tax_minor=950)
    paid = InvoiceLine("credit_applied", "pro", OCTOBER, -100, name="gift", base_minor=100)
    lines = lines_table([(found, [*fees, tax, paid])])
    rests_on = basis(CLOSING, catalogs, {"acme": Given(Buyer("DE", None, "DE 1"))})
    [specified] = draft_all(lines, {found.id: found}, rests_on)
    monkeypatch.setattr("pipelines.invoices.bulk_drafts.draft_all", pytest.fail)
    [(drafts, _)] = draft_parts(lines, segment_table([found]), rests_on)
    assert drafts["document"].to_pylist() == [specified.document]
    assert drafts["document_hash"].to_pylist() == [specified.document_hash]


@pytest.mark.parametrize(
    ("phases", "named"),
    [
        (("active", "active"), ["10", "2"]),
        (("trial", "active"), ["10", "2"]),
        (("paused", "active"), ["10"]),
        (("active", "paused"), ["2"]),
    ],
)
def test_a_document_names_the_price_lists_in_force_as_texts_in_order(
    phases: tuple[Phase, Phase], named: list[str]
) -> None:
    versions = {n: llm_tokens() for n in (1, 2, 10)}
    plain = a_subscription("pro 09-01, pro 10-16")
    segments = tuple(
        replace(segment, phase=phase, catalog_version=version)
        for segment, phase, version in zip(plain.segments, phases, (2, 10), strict=True)
    )
    found = replace(plain, segments=segments)
    lines = lines_table([(found, prorate_fees(found, OCTOBER, versions))])
    [(drafts, _)] = draft_parts(lines, segment_table([found]), basis(CLOSING, versions))
    [specified] = draft_all(lines, {found.id: found}, basis(CLOSING, versions))
    assert drafts["document"].to_pylist() == [specified.document]
    assert list(json.loads(specified.document)["catalogs"]) == named


def test_no_lines_make_no_part() -> None:
    assert not list(draft_parts(lines_table([]), segment_table([]), basis(CLOSING, {})))
