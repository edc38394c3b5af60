"""Credits are burnt once, whatever is repeated or killed, and come back with a voided invoice."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pyarrow as pa
import pytest
import sqlalchemy as sa

from pipelines.invoices.draft_tables import drafts_of
from schemas.errors import Conflict, NotFound
from schemas.extras import CreditGrant
from schemas.invoice import Invoice, InvoiceLine
from schemas.period import BillingPeriod
from stores.ledger import Ledger
from stores.ledger.connection import writing
from stores.ledger.invoices import finalizing
from stores.ledger.tables.extras_tables import credit_applications
from stores.ledger.tables.invoice_tables import counted_lines
from tests.unit.stores.ledger.builders import (
    DUE,
    MONTH,
    NOW,
    PERIOD,
    SELLER,
    a_draft,
    a_subscription,
    at,
    prepare_month,
)

NOVEMBER = "2026-11"
GRANT = CreditGrant("acme", "pay_1", "USD", 3000, at("2026-10-02"), at("2026-12-01"))


@pytest.fixture(autouse=True)
def tenants(ledger: Ledger) -> None:
    found = [a_subscription("acme"), a_subscription("bolt")]
    ledger.save_subscriptions(found, NOW, "ada")


def paid_by(draft: Invoice, *credits: tuple[str, int]) -> Invoice:
    """A draft that counts on credits: (key, amount)."""
    period = BillingPeriod.month(draft.month)
    lines = [
        InvoiceLine("credit_applied", "pro", period, -amount, name=key, base_minor=amount)
        for key, amount in credits
    ]
    return replace(draft, lines=(*draft.lines, *lines))


def left(ledger: Ledger, month: str = MONTH) -> dict[str, int]:
    """What invoices of a month may use, by key."""
    table = pa.table(ledger.extras(month).credits)
    return dict(zip(table["key"].to_pylist(), table["left_minor"].to_pylist(), strict=True))


def applied(ledger: Ledger) -> list[tuple[str, str, int]]:
    with writing(ledger._engine) as connection:
        rows = credit_applications.c
        query = sa.select(rows.grant_key, rows.invoice, rows.amount_minor)
        return [tuple(row) for row in connection.execute(query.order_by(rows.invoice))]


def test_a_grant_may_be_repeated_and_is_granted_once(ledger: Ledger) -> None:
    assert ledger.grant_credit(GRANT, "ada") == "added"
    assert ledger.grant_credit(GRANT, "ada") == "unchanged"
    assert left(ledger) == {"pay_1": 3000}
    [line] = [line for line in ledger.audit_log("acme") if line["action"] == "credit.granted"]
    assert (line["who"], '"amount_minor":3000' in line["detail"]) == ("ada", True)


def test_a_key_is_one_grant(ledger: Ledger) -> None:
    ledger.grant_credit(GRANT, "ada")
    with pytest.raises(Conflict, match=r"the credit 'pay_1' is there already with .*another key"):
        ledger.grant_credit(replace(GRANT, amount_minor=1), "ada")


def test_a_credit_is_of_the_tenants_currency(ledger: Ledger) -> None:
    with pytest.raises(Conflict, match=r"acme is billed in USD; .* CNY is never converted"):
        ledger.grant_credit(replace(GRANT, currency="CNY"), "ada")
    with pytest.raises(NotFound, match="no tenant 'ghost'"):
        ledger.grant_credit(replace(GRANT, tenant="ghost"), "ada")


def test_finalizing_burns_what_the_invoice_used_once(ledger: Ledger) -> None:
    ledger.grant_credit(GRANT, "ada")
    prepare_month(ledger, [paid_by(a_draft("acme"), ("pay_1", 2000)), a_draft("bolt")])
    assert (applied(ledger), left(ledger)) == ([], {"pay_1": 3000})
    ledger.finalize(MONTH, SELLER, NOW, DUE)
    assert applied(ledger) == [("pay_1", f"sub_acme:{MONTH}", 2000)]
    ledger.finalize(MONTH, SELLER, NOW, DUE)
    ledger.finalize(MONTH, SELLER, NOW + 1, DUE)
    assert applied(ledger) == [("pay_1", f"sub_acme:{MONTH}", 2000)]
    assert left(ledger, NOVEMBER) == {"pay_1": 1000}


def test_a_run_killed_while_finalizing_burns_nothing(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger.grant_credit(GRANT, "ada")
    prepare_month(ledger, [paid_by(a_draft("acme"), ("pay_1", 2000))])

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(finalizing, "_tell", killed)
        with pytest.raises(KeyboardInterrupt):
            ledger.finalize(MONTH, SELLER, NOW, DUE)
    assert (applied(ledger), left(ledger)) == ([], {"pay_1": 3000})
    ledger.finalize(MONTH, SELLER, NOW, DUE)
    assert left(ledger, NOVEMBER) == {"pay_1": 1000}


def test_an_invoice_that_credits_pay_is_paid_at_once(ledger: Ledger) -> None:
    ledger.grant_credit(replace(GRANT, amount_minor=5000), "ada")
    prepare_month(ledger, [paid_by(a_draft("acme"), ("pay_1", 4999))])
    ledger.finalize(MONTH, SELLER, NOW, DUE)
    [invoice] = ledger.invoices(MONTH)
    assert (invoice.state, invoice.amount_due_minor, invoice.credits_minor) == ("paid", 0, 4999)
    assert ledger.collectable(MONTH) == []


def test_a_later_month_leaves_what_an_earlier_draft_counts_on(ledger: Ledger) -> None:
    ledger.grant_credit(GRANT, "ada")
    prepare_month(ledger, [paid_by(a_draft("acme"), ("pay_1", 2000))])
    ledger.hold(MONTH, {"acme": "counter differs by 3"})
    ledger.finalize(MONTH, SELLER, NOW, DUE)
    assert left(ledger, NOVEMBER) == {"pay_1": 1000}
    [balance] = ledger.credit_balances(NOW)
    assert (balance.left_minor, balance.reserved_minor) == (3000, 2000)


@pytest.fixture
def drafted_twice(ledger: Ledger) -> None:
    """Two months whose drafts count on all of the same credit: the later was drafted first."""
    ledger.grant_credit(GRANT, "ada")
    for month in (NOVEMBER, MONTH):
        draft = paid_by(a_draft("acme", month=month), ("pay_1", 3000))
        prepare_month(ledger, [draft], month)


@pytest.mark.usefixtures("drafted_twice")
def test_a_credit_that_another_invoice_has_used_sends_the_draft_back(ledger: Ledger) -> None:
    ledger.finalize(MONTH, SELLER, NOW, DUE)
    with pytest.raises(Conflict, match=r"credits were used .*pay_1 of acme.*close 2026-11` again"):
        ledger.finalize(NOVEMBER, SELLER, NOW + 1, DUE)
    assert applied(ledger) == [("pay_1", f"sub_acme:{MONTH}", 3000)]
    ledger.replace_drafts(NOVEMBER, drafts_of([a_draft("acme", month=NOVEMBER)]))
    assert ledger.finalize(NOVEMBER, SELLER, NOW + 1, DUE) == 1


@pytest.mark.usefixtures("drafted_twice")
def test_a_later_month_does_not_burn_what_an_earlier_draft_counts_on(ledger: Ledger) -> None:
    with pytest.raises(Conflict, match=r"credits were used .*pay_1 of acme.*close 2026-11` again"):
        ledger.finalize(NOVEMBER, SELLER, NOW, DUE)
    assert applied(ledger) == []
    assert ledger.finalize(MONTH, SELLER, NOW, DUE) == 1


def test_a_voided_invoice_gives_its_credits_back_once(ledger: Ledger) -> None:
    ledger.grant_credit(GRANT, "ada")
    prepare_month(ledger, [paid_by(a_draft("acme"), ("pay_1", 2000))])
    ledger.finalize(MONTH, SELLER, NOW, DUE)
    assert left(ledger, NOVEMBER) == {"pay_1": 1000}
    assert ledger.void_invoice(f"sub_acme:{MONTH}", "ada", "a mistake")
    assert not ledger.void_invoice(f"sub_acme:{MONTH}", "ada", "a mistake")
    assert left(ledger, NOVEMBER) == {"pay_1": 3000}


@pytest.mark.parametrize(
    ("now", "expired", "remaining"),
    [("2026-11-30T23:59:59Z", 0, 1000), ("2026-12-01", 1000, 0), ("2027-01-01", 1000, 0)],
)
def test_granted_is_applied_expired_and_left(
    ledger: Ledger, now: str, expired: int, remaining: int
) -> None:
    ledger.grant_credit(GRANT, "ada")
    prepare_month(ledger, [paid_by(a_draft("acme"), ("pay_1", 2000))])
    ledger.finalize(MONTH, SELLER, NOW, DUE)
    [balance] = ledger.credit_balances(at(now))
    assert (balance.applied_minor, balance.expired_minor) == (2000, expired)
    assert balance.left_minor == remaining
    assert balance.grant == GRANT


def test_what_a_draft_counts_on_does_not_expire_meanwhile(ledger: Ledger) -> None:
    ledger.grant_credit(replace(GRANT, expires_ms=PERIOD.end_ms), "ada")
    prepare_month(ledger, [paid_by(a_draft("acme"), ("pay_1", 2000))])
    [balance] = ledger.credit_balances(PERIOD.end_ms)
    assert (balance.expired_minor, balance.left_minor, balance.reserved_minor) == (1000, 2000, 2000)


def test_balances_are_listed_in_the_order_of_their_use(ledger: Ledger) -> None:
    grants: list[Callable[[str], CreditGrant]] = [
        lambda key: replace(GRANT, key=key, expires_ms=None),
        lambda key: replace(GRANT, key=key, priority=60),
        lambda key: replace(GRANT, key=key, granted_ms=GRANT.granted_ms + 1),
        lambda key: replace(GRANT, key=key),
        lambda key: replace(GRANT, key=key, priority=1),
    ]
    for key, grant in zip("abcde", grants, strict=True):
        ledger.grant_credit(grant(key), "ada")
    assert [each.grant.key for each in ledger.credit_balances(NOW, "acme")] == list("edcba")
    assert ledger.credit_balances(NOW, "bolt") == []


@pytest.mark.usefixtures("drafted_twice")
def test_of_the_lines_only_those_of_credits_and_items_are_rows(ledger: Ledger) -> None:
    with writing(ledger._engine) as connection:
        kinds = connection.execute(sa.select(counted_lines.c.kind)).scalars().all()
    assert set(kinds) == {"credit_applied"}
    assert len(kinds) < sum(len(invoice.lines) for invoice in ledger.invoices())


@pytest.mark.usefixtures("drafted_twice")
def test_months_finalized_at_the_same_time_do_not_burn_a_credit_twice(ledger: Ledger) -> None:
    def finalize(month: str) -> bool:
        try:
            ledger.finalize(month, SELLER, NOW, DUE)
        except Conflict:
            return False
        return True

    with ThreadPoolExecutor(2) as threads:
        done = list(threads.map(finalize, (MONTH, NOVEMBER)))
    assert done == [True, False]
    assert applied(ledger) == [("pay_1", f"sub_acme:{MONTH}", 3000)]
