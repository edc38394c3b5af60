"""Drafts and their documents: one for each subscription, the same bytes for the same basis."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.catalog import catalog_file
from pipelines.columns.tables import as_table
from pipelines.invoices.invoicing import Basis, basis, draft, draft_all
from pipelines.rating import bulk_rating
from pipelines.rating.proration import prorate_fees
from pipelines.rating.rating import Usage, rate_usage
from pipelines.segments.segment_tables import segment_table
from schemas.closing import Closing
from schemas.invoice import Invoice
from schemas.subscription import Subscription
from schemas.tables import LINE_COLUMNS
from schemas.vector import Vector
from tests.builders import OCTOBER, a_subscription, llm_tokens, used
from tests.fakes import FakeLedger
from tests.strategies import subscriptions, usage_of

CATALOGS = {1: llm_tokens()}
CLOSING = Closing("2026-10", Vector({(1, 0): 5, (1, 10): 7, (1, 2): 9}), 1, "1.0", 0)


def an_invoice(subscription: Subscription, usage: Usage, rests_on: Basis | None = None) -> Invoice:
    lines = prorate_fees(subscription, OCTOBER, CATALOGS)
    lines += rate_usage(subscription, OCTOBER, CATALOGS, usage)
    return draft(subscription, tuple(lines), rests_on or basis(CLOSING, CATALOGS))


def test_a_document_is_this_text() -> None:
    subscription = a_subscription("pro 10-31", "müller", currency="CNY")
    invoice = an_invoice(subscription, used({1: 1_000_000}))
    digest = hashlib.sha256(catalog_file.canonical(CATALOGS[1])).hexdigest()
    day = '"period":{"end":"2026-11-01T00:00:00Z","start":"2026-10-31T00:00:00Z"},"plan":"pro"'
    assert invoice.document.decode() == (
        f'{{"catalogs":{{"1":"{digest}"}},"currency":"CNY","lines":['
        f'{{"amount_minor":1126,"fee_minor":34900,"kind":"base_fee",{day}}},'
        f'{{"amount_minor":0,"kind":"included","meter":"tokens",{day},'
        '"quantity":"32258.064516"},'
        f'{{"amount_minor":5419,"kind":"overage","meter":"tokens",{day},'
        '"quantity":"967741.935484","unit_price":"0.000056"}],'
        '"period":{"end":"2026-11-01T00:00:00Z","start":"2026-10-01T00:00:00Z"},'
        '"subscription":"sub_müller","tenant":"müller","total_minor":6545,'
        '"vector":{"1/0":5,"1/10":7,"1/2":9}}'
    )
    assert invoice.document_hash == hashlib.sha256(invoice.document).hexdigest()
    assert (invoice.id, invoice.total_minor) == ("sub_müller:2026-10", 6545)


@given(st.data(), subscriptions())
def test_a_document_is_canonical_json_without_a_float(
    data: st.DataObject, subscription: Subscription
) -> None:
    document = an_invoice(subscription, data.draw(usage_of(subscription))).document
    parsed = json.loads(document, parse_float=pytest.fail)
    text = json.dumps(parsed, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert text.encode() == document


@pytest.mark.parametrize(
    ("changes", "is_same"),
    [
        ({"code_version": "2.0"}, True),
        ({"opened_ms": 5}, True),
        ({"without_counters": "lost"}, True),
        ({"vector": Vector({(1, 0): 6})}, False),
    ],
)
def test_only_what_it_is_made_of_changes_a_document(
    changes: Mapping[str, object], is_same: bool
) -> None:
    subscription = a_subscription("pro 09-01")
    changed = basis(replace(CLOSING, **changes), CATALOGS)  # type: ignore[arg-type]
    same = an_invoice(subscription, {}).document == an_invoice(subscription, {}, changed).document
    assert same == is_same


def test_a_document_names_only_the_price_lists_of_its_own_parts() -> None:
    both = {1: llm_tokens(), 2: llm_tokens()}
    invoice = an_invoice(a_subscription("pro 09-01"), {}, basis(CLOSING, both))
    assert list(json.loads(invoice.document)["catalogs"]) == ["1"]


def test_every_subscription_of_the_month_has_a_draft_also_for_nothing() -> None:
    found = [a_subscription("free 09-01", "a"), a_subscription("pro 10-31 .. 11-02", "b")]
    ledger = FakeLedger(CATALOGS, found)
    ledger.replace_lines(
        "2026-10", "prorations", bulk_rating.prorate_fees(segment_table(found), OCTOBER, CATALOGS)
    )
    lines = as_table(ledger.lines("2026-10"), LINE_COLUMNS)
    drafts = list(draft_all(lines, {s.id: s for s in found}, basis(CLOSING, CATALOGS)))
    assert [(d.tenant, d.total_minor, len(d.lines)) for d in drafts] == [("a", 0, 1), ("b", 161, 1)]
