"""A month is finalized by the plans that tenants have, or not at all."""

import pyarrow as pa
import pytest

from pipelines.invoices.draft_tables import drafts_of
from schemas.errors import Conflict
from stores.ledger import Ledger
from tests.unit.stores.ledger.builders import (
    DUE,
    MONTH,
    NOW,
    PERIOD,
    SELLER,
    a_draft,
    a_subscription,
    prepare_month,
)

FREE = ("free", "2026-10-01")


@pytest.fixture
def drafted(ledger: Ledger) -> Ledger:
    """October under review: its usage was cut by the plans of acme and bolt, drafts are there."""
    ledger.save_subscriptions([a_subscription("acme", FREE), a_subscription("bolt", FREE)], 1, "a")
    prepare_month(ledger, [a_draft("acme"), a_draft("bolt")])
    ledger.replace_billed_segments(MONTH, ledger.segments(PERIOD.reach))
    return ledger


def finalize(ledger: Ledger) -> int:
    return ledger.finalize(MONTH, SELLER, NOW, DUE)


def change(ledger: Ledger, tenant: str, *plans: tuple[str, str]) -> None:
    ledger.save_subscriptions([a_subscription(tenant, *plans)], NOW, "ada", in_closed_months=True)


def test_what_was_recorded_is_read_as_it_is(drafted: Ledger) -> None:
    recorded, now = drafted.billed_segments(MONTH), drafted.segments(PERIOD.reach)
    assert recorded is not None
    assert pa.table(recorded).equals(pa.table(now))
    assert drafted.billed_segments("2026-11") is None


def test_as_long_as_plans_stand_the_month_is_finalized(drafted: Ledger) -> None:
    assert finalize(drafted) == 2


@pytest.mark.parametrize("since", ["2026-10-10", "2026-11-01"])
def test_a_plan_changed_within_the_month_after_the_cut_stops_it(
    drafted: Ledger, since: str
) -> None:
    change(drafted, "bolt", FREE, ("pro", since))
    with pytest.raises(Conflict, match=f"within {MONTH} .* run `countinghouse close {MONTH}`"):
        finalize(drafted)
    assert {each.number for each in drafted.invoices(MONTH)} == {None}
    drafted.replace_billed_segments(MONTH, drafted.segments(PERIOD.reach))
    with pytest.raises(Conflict, match="the drafts of 2026-10 are not all written"):
        finalize(drafted)
    drafted.replace_drafts(MONTH, drafts_of([a_draft("acme"), a_draft("bolt")]))
    assert finalize(drafted) == 2


def test_who_begins_within_the_month_after_the_cut_stops_it(drafted: Ledger) -> None:
    change(drafted, "core", ("free", "2026-10-31"))
    with pytest.raises(Conflict, match="a plan was changed"):
        finalize(drafted)


def test_what_is_applied_again_unchanged_stops_nothing(drafted: Ledger) -> None:
    change(drafted, "bolt", FREE)
    assert finalize(drafted) == 2


def test_what_changes_later_stops_nothing(drafted: Ledger) -> None:
    change(drafted, "bolt", FREE, ("pro", "2026-11-02"))
    change(drafted, "core", ("free", "2026-11-01"))
    assert finalize(drafted) == 2


def test_who_was_held_follows_though_a_closed_month_was_changed(drafted: Ledger) -> None:
    drafted.hold(MONTH, {"bolt": "the figures differ"})
    assert finalize(drafted) == 1
    change(drafted, "acme", FREE, ("pro", "2026-10-10"))
    drafted.override(MONTH, "bolt", "ada", "checked")
    assert finalize(drafted) == 1
