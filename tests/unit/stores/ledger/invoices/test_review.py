"""A person's look at drafts: a hold outlives them, an approval is of one document."""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest
import sqlalchemy as sa

from pipelines.columns.tables import table_of
from pipelines.invoices.draft_tables import drafts_of
from schemas.errors import NotFound
from schemas.tables import RECONCILIATION_COLUMNS
from stores.ledger import Ledger
from tests.unit.stores.ledger.builders import (
    DUE,
    MONTH,
    NOW,
    SELLER,
    a_draft,
    prepare_month,
    reconciled,
)


@pytest.fixture
def drafted(ledger: Ledger) -> Ledger:
    """A month with two drafts that agree."""
    prepare_month(ledger, [a_draft("acme"), a_draft("bolt")])
    return ledger


def finalized(ledger: Ledger) -> list[str]:
    """Who has a number after finalizing."""
    ledger.finalize(MONTH, SELLER, NOW, DUE)
    return [it.tenant for it in ledger.invoices(MONTH) if it.number]


def held(ledger: Ledger) -> dict[str, str | None]:
    return {it.tenant: it.held for it in ledger.invoices(MONTH)}


def test_whom_a_person_holds_back_gets_no_number(drafted: Ledger) -> None:
    drafted.hold_back(MONTH, "acme", "eve", "the discount is missing")
    assert held(drafted) == {"acme": "eve holds it back: the discount is missing", "bolt": None}
    assert finalized(drafted) == ["bolt"]


def test_who_finalizes_waits_for_a_hold_that_is_being_placed(drafted: Ledger) -> None:
    """Two may write at once on Postgres: a draft chosen before the hold was numbered after it."""
    is_placing = Event()

    def linger(_connection: sa.Connection) -> None:
        is_placing.set()
        time.sleep(0.5)

    sa.event.listen(drafted._engine, "commit", linger, once=True)
    with ThreadPoolExecutor(2) as threads:
        placed = threads.submit(drafted.hold_back, MONTH, "acme", "eve", "wait")
        assert is_placing.wait(10)
        numbered = threads.submit(finalized, drafted)
    assert placed.exception() is None
    assert numbered.result() == ["bolt"]


def test_the_hold_outlives_new_drafts_and_another_comparison(drafted: Ledger) -> None:
    drafted.hold_back(MONTH, "acme", "eve", "wait")
    drafted.replace_drafts(MONTH, drafts_of([a_draft("acme", 1), a_draft("bolt")]))
    assert finalized(drafted) == ["bolt"]
    drafted.hold(MONTH, {})
    assert held(drafted)["acme"] == "eve holds it back: wait"
    drafted.hold(MONTH, {"acme": "tokens: 5 too many"})
    assert held(drafted)["acme"] == "tokens: 5 too many"
    drafted.hold(MONTH, {})
    assert finalized(drafted) == ["bolt"]


def test_a_release_lets_go_what_agrees_and_overrides_nothing_else(drafted: Ledger) -> None:
    drafted.hold_back(MONTH, "acme", "eve", "wait")
    drafted.override(MONTH, "acme", "eve", "it is right")
    assert held(drafted) == {"acme": None, "bolt": None}
    drafted.record_reconciliation(MONTH, reconciled(["acme", "bolt"], {"acme": "tokens: 5"}))
    drafted.hold(MONTH, {"acme": "tokens: 5"})
    assert finalized(drafted) == ["bolt"], "the release was of the person's hold alone"
    actions = [row["action"] for row in drafted.audit_log("acme")]
    assert actions == ["hold.placed", "hold.released"]


def test_a_release_while_nothing_is_compared_overrides_nothing_that_is_found_later(
    drafted: Ledger,
) -> None:
    """The close failed before its comparison; the next one finds 5 tokens too many."""
    drafted.record_reconciliation(MONTH, reconciled([]))
    drafted.hold_back(MONTH, "acme", "eve", "wait")
    drafted.override(MONTH, "acme", "eve", "they called")
    drafted.record_reconciliation(MONTH, reconciled(["acme", "bolt"], {"acme": "tokens: 5"}))
    drafted.hold(MONTH, {"acme": "tokens: 5"})
    assert finalized(drafted) == ["bolt"]
    actions = [row["action"] for row in drafted.audit_log("acme")]
    assert actions == ["hold.placed", "hold.released"]


@pytest.mark.parametrize(
    ("later", "numbered"),
    [
        ({}, ["acme", "bolt"]),
        ({"tokens": "5 too many"}, ["acme", "bolt"]),
        ({"tokens": "6 too many"}, ["bolt"]),
        ({"calls": "3 too many", "tokens": "5 too many"}, ["bolt"]),
    ],
)
def test_an_override_is_of_what_was_found_and_of_nothing_else(
    drafted: Ledger, later: dict[str, str], numbered: list[str]
) -> None:
    compare(drafted, {"tokens": "5 too many"})
    drafted.override(MONTH, "acme", "eve", "counted by hand")
    compare(drafted, later)
    assert finalized(drafted) == numbered
    if numbered == ["bolt"]:
        drafted.override(MONTH, "acme", "eve", "this one, too")
        assert finalized(drafted) == ["acme", "bolt"]


def compare(ledger: Ledger, found: dict[str, str]) -> None:
    """Another run of the comparison, which finds this of acme's meters."""
    rows = [("acme", it, 7, 7, 0, 7, 0, found.get(it)) for it in ("calls", "tokens")]
    rows += [("bolt", "tokens", 7, 7, 0, 7, 0, None)]
    reasons = "; ".join(f"{meter}: {why}" for meter, why in found.items())
    ledger.hold(MONTH, {"acme": reasons} if found else {})
    ledger.record_reconciliation(MONTH, table_of(rows, RECONCILIATION_COLUMNS))


def test_who_was_never_compared_is_let_go_by_a_word_once_nothing_is_compared_any_more(
    drafted: Ledger,
) -> None:
    drafted.record_reconciliation(MONTH, reconciled(["bolt"]))
    assert finalized(drafted) == ["bolt"]
    drafted.override(MONTH, "acme", "eve", "counted by hand")
    assert finalized(drafted) == ["acme", "bolt"]
    assert drafted.audit_log("acme")[0]["action"] == "hold.overridden"


def test_who_differs_and_is_held_back_too_is_let_go_by_one_word(drafted: Ledger) -> None:
    drafted.record_reconciliation(MONTH, reconciled(["acme", "bolt"], {"acme": "tokens: 5"}))
    drafted.hold(MONTH, {"acme": "tokens: 5"})
    drafted.hold_back(MONTH, "acme", "eve", "wait")
    drafted.override(MONTH, "acme", "eve", "counted by hand")
    assert finalized(drafted) == ["acme", "bolt"]


def test_a_hold_after_a_release_holds_again(drafted: Ledger) -> None:
    drafted.override(MONTH, "acme", "eve", "go")
    drafted.hold_back(MONTH, "acme", "eve", "no, wait")
    assert finalized(drafted) == ["bolt"]


def test_nobody_without_a_draft_is_held_back_or_approved(drafted: Ledger) -> None:
    with pytest.raises(NotFound, match="'nobody' has no draft in 2026-10"):
        drafted.hold_back(MONTH, "nobody", "eve", "wait")
    drafted.hold_back(MONTH, "bolt", "eve", "wait")
    with pytest.raises(NotFound, match="of bolt, nobody: it is held, or not there"):
        drafted.approve(MONTH, ["acme", "bolt", "nobody"], "eve", "fine")
    assert drafted.unapproved(MONTH) == 1


def test_without_a_wish_for_approval_none_is_needed(drafted: Ledger) -> None:
    assert drafted.unapproved(MONTH) == 2
    assert finalized(drafted) == ["acme", "bolt"]


def test_an_approval_is_of_the_draft_as_it_was(drafted: Ledger) -> None:
    drafted.ask_for_approval(MONTH)
    assert drafted.approve(MONTH, None, "eve", "fine") == 2
    assert drafted.approve(MONTH, None, "eve", "fine") == 2
    drafted.replace_drafts(MONTH, drafts_of([a_draft("acme", 1), a_draft("bolt")]))
    assert drafted.unapproved(MONTH) == 1
    assert finalized(drafted) == ["bolt"]
    assert drafted.approve(MONTH, ["acme"], "eve", "fine now") == 1
    assert finalized(drafted) == ["acme", "bolt"]


def test_who_has_approved_what_is_in_the_audit_log(drafted: Ledger) -> None:
    drafted.approve(MONTH, ["acme"], "eve", "fine")
    [row] = drafted.audit_log("acme")
    assert (row["who"], row["action"]) == ("eve", "drafts.approved")
    assert json.loads(row["detail"]) == {"month": MONTH, "why": "fine"}
    drafted.approve(MONTH, None, "eve", "all of it")
    assert [row["who"] for row in drafted.audit_log("every draft")] == ["eve"]
