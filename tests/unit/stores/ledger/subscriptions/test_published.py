"""What trails behind the ledger is sent again until it is marked."""

from typing import Any

import pytest
import sqlalchemy as sa

from pipelines.invoices.draft_tables import drafts_of
from schemas import entitlement
from stores.ledger import Ledger
from stores.ledger.connection import open_engine, reading, writing
from stores.ledger.tables.subscription_tables import tenants
from tests.unit.stores.ledger.builders import (
    NOW,
    a_draft,
    a_payment,
    a_subscription,
    finalized,
    prepare_month,
)


def behind(ledger: Ledger) -> list[tuple[str, int]]:
    return [(each.tenant, each.entitlement_version) for each in ledger.behind_entitlements(10)]


@pytest.fixture
def two(ledger: Ledger) -> Ledger:
    ledger.save_subscriptions([a_subscription("acme"), a_subscription("bolt")], NOW, "ada")
    return ledger


def test_a_tenant_is_behind_until_its_version_is_marked(two: Ledger) -> None:
    assert behind(two) == [("acme", 1), ("bolt", 1)]
    two.mark_entitlements_published([("acme", 1)])
    assert behind(two) == [("bolt", 1)]
    assert two.entitlements_behind() == 1
    two.save_subscriptions([a_subscription("acme", ("pro", "2026-10-02"))], NOW, "ada")
    assert behind(two) == [("acme", 2), ("bolt", 1)]


def test_a_change_between_sending_and_marking_is_not_lost(two: Ledger) -> None:
    sent = behind(two)
    two.save_subscriptions([a_subscription("acme", ("pro", "2026-10-02"))], NOW, "ada")
    two.mark_entitlements_published(sent)
    assert behind(two) == [("acme", 2)]


def test_marking_twice_is_harmless(two: Ledger) -> None:
    for _ in range(2):
        two.mark_entitlements_published([("acme", 1), ("bolt", 1)])
        assert behind(two) == []


def test_an_older_message_sent_after_a_newer_one_is_followed_by_the_newer_again(
    two: Ledger,
) -> None:
    two.save_subscriptions([a_subscription("acme", ("pro", "2026-10-02"))], NOW, "ada")
    two.mark_entitlements_published([("acme", 2), ("bolt", 1)])
    two.mark_entitlements_published([("acme", 1)])
    assert behind(two) == [("acme", 2)]


def test_an_empty_topic_is_refilled(two: Ledger) -> None:
    two.mark_entitlements_published(behind(two))
    assert two.republish_entitlements() == 2
    assert behind(two) == [("acme", 1), ("bolt", 1)]


def test_a_new_month_is_a_new_version_once(two: Ledger) -> None:
    two.mark_entitlements_published(behind(two))
    assert two.roll_over("2026-11") == 0
    assert two.roll_over("2026-12") == 2
    assert two.roll_over("2026-12") == 0
    assert behind(two) == [("acme", 2), ("bolt", 2)]
    assert two.subscribed("acme").version == 1


@pytest.mark.parametrize("mark", ["2026-11", "2026-11.001"])
def test_what_an_earlier_revision_made_is_a_new_version_once(two: Ledger, mark: str) -> None:
    two.mark_entitlements_published(behind(two))
    acme = tenants.c.tenant == "acme"
    with writing(two._engine) as connection:
        connection.execute(sa.update(tenants).where(acme).values(month=mark))
    assert [two.roll_over("2026-11"), two.roll_over("2026-11")] == [1, 0]
    assert behind(two) == [("acme", 2)]


def test_marks_rise_with_months_and_revisions(monkeypatch: pytest.MonkeyPatch) -> None:
    marks = ["2026-09"]
    for month in ("2026-09", "2026-10"):
        for revision in (1, 2, 10, 100):
            monkeypatch.setattr(entitlement, "MADE_BY", revision)
            marks.append(entitlement.made_for(month))
    assert marks == sorted(marks)


def test_a_limit_cuts_the_batch(two: Ledger) -> None:
    assert len(two.behind_entitlements(1)) == 1


def test_invoices_are_mirrored_when_they_are_final(ledger: Ledger) -> None:
    prepare_month(ledger, [a_draft("acme")])
    assert ledger.behind_mirror(10) == []
    [invoice] = finalized(ledger, a_draft("acme"))
    [(seen, version)] = ledger.behind_mirror(10)
    assert seen == invoice
    ledger.mark_mirrored([(invoice.id, version)])
    assert ledger.behind_mirror(10) == []


def test_a_payment_makes_the_copy_old(ledger: Ledger) -> None:
    [invoice] = finalized(ledger, a_draft("acme"))
    ledger.mark_mirrored([(invoice.id, version) for _, version in ledger.behind_mirror(10)])
    attempt = ledger.open_attempt(invoice, "sandbox", NOW)
    assert attempt is not None
    ledger.record_attempt(attempt.id, a_payment(attempt, "succeeded"), NOW)
    assert [seen.state for seen, _ in ledger.behind_mirror(10)] == ["paid"]


def test_subscriptions_are_mirrored_by_their_own_version(two: Ledger) -> None:
    two.roll_over("2026-12")
    sent = [(each.subscription.id, each.version) for each in two.subscriptions_behind_mirror(10)]
    assert sent == [("sub_acme", 1), ("sub_bolt", 1)]
    two.mark_subscriptions_mirrored(sent)
    assert two.subscriptions_behind_mirror(10) == []


def test_what_the_copies_lack_is_counted_without_drafts(two: Ledger) -> None:
    finalized(two, a_draft("acme"), a_draft("bolt"))
    two.replace_drafts("2026-11", drafts_of([a_draft("acme", month="2026-11")]))
    assert two.mirror_behind() == 4
    two.mark_subscriptions_mirrored([("sub_acme", 1), ("sub_bolt", 1)])
    two.mark_mirrored([(invoice.id, version) for invoice, version in two.behind_mirror(10)])
    assert two.mirror_behind() == 0


@pytest.mark.parametrize(
    ("index", "method"),
    [
        ("ix_tenants_behind", "behind_entitlements"),
        ("ix_subscriptions_behind", "subscriptions_behind_mirror"),
        ("ix_invoices_behind", "behind_mirror"),
        ("ix_billing_events_unpublished", "behind_events"),
    ],
)
def test_an_idle_poll_reads_an_index_of_what_is_behind(
    sqlite_url: str, index: str, method: str
) -> None:
    engine = open_engine(sqlite_url)
    statements: list[tuple[str, Any]] = []
    sa.event.listen(
        engine,
        "before_cursor_execute",
        lambda _c, _cursor, statement, values, *_: statements.append((statement, values)),
    )
    assert getattr(Ledger(engine, lambda: NOW), method)(10) == []
    polled, values = next(each for each in statements if each[0].startswith("SELECT"))
    with reading(engine) as connection:
        plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {polled}", values).all()
    assert any(index in str(step) for step in plan)
