"""What a change would make of the running invoice: these lines, and the close makes the same."""

from collections import Counter

import pytest

from pipelines.close import closing, opening
from pipelines.invoices.descriptions import describe
from pipelines.plans.plan_commands import Command
from pipelines.plans.plan_life import carry_out
from pipelines.reports.plan_preview import PlanPreview, preview_change
from schemas.invoice import InvoiceLine
from schemas.money import format_minor
from schemas.period import BillingPeriod
from schemas.quantity import format_micro
from schemas.subscription import Subscription
from schemas.vector import Vector
from tests.builders import llm_tokens, units
from tests.fake_warehouse import FakeLog, FakeWarehouse, Used
from tests.fakes import FakeLedger
from tests.plan_lives import a_life, when
from tests.plan_orders import cancel, change, pause, start, to_trial_end, withdraw

MONTH = "2026-10"
AS_OF = Vector({(1, 0): 100})
CATALOGS = {1: llm_tokens()}
NOW = "10-11"
USED = [("10-05", 400_000), ("10-15", 900_000), ("10-20", 2_000_000)]


def warehouse() -> FakeWarehouse:
    """Tokens of acme before and after the change, and those of another tenant."""
    events = [
        Used(tenant, meter, when(day), units(tokens), 0, offset)
        for offset, (day, tokens) in enumerate(USED)
        for tenant in ("acme", "bolt")
        for meter in ("tokens", "input_tokens")
    ]
    return FakeWarehouse(events, AS_OF)


def preview(before: str, command: Command) -> tuple[PlanPreview, Subscription]:
    life = a_life(before)
    after = carry_out(life, command, when(NOW), CATALOGS).subscription
    ledger = FakeLedger(CATALOGS, [life])
    return preview_change(life, after, when(NOW), ledger, warehouse(), AS_OF), after


def closed_lines(subscription: Subscription) -> list[InvoiceLine]:
    """The lines of the invoice that the month's close makes, with the bulk engine."""
    ledger = FakeLedger(CATALOGS, [subscription])
    usage, log = warehouse(), FakeLog(AS_OF, AS_OF)
    opening.open_closing(
        MONTH, ledger, log, usage, lambda: when("11-02"), code_version="1", grace_ms=0
    )
    closing.aggregate_usage(MONTH, ledger, usage)
    closing.rate_charges(MONTH, ledger)
    closing.prorate_fees(MONTH, ledger)
    closing.draft_invoices(MONTH, ledger)
    return [line for invoice in ledger.invoices(MONTH) for line in invoice.lines]


def shown(found: PlanPreview) -> list[str]:
    """Lines as they would be read: what goes, then what comes."""

    def line(sign: str, each: InvoiceLine) -> str:
        words = describe(each, found.period, found.currency)
        micro = each.quantity_micro
        quantity = "" if micro is None else f" ({format_micro(micro)})"
        return f"{sign} {words}{quantity} = {format_minor(each.amount_minor, found.currency)}"

    return [line("-", it) for it in found.removed] + [line("+", it) for it in found.added]


def test_an_upgrade_takes_back_what_is_left_and_raises_the_pool() -> None:
    found, _ = preview("pro 09-01", change("enterprise"))
    assert found.period == BillingPeriod.month(MONTH)
    assert shown(found) == [
        "- Pro, October: tokens included (1000000) = 0.00",
        "- Pro, October: tokens beyond the included, 0.000008 each (2300000) = 18.40",
        "+ Pro unused, 11–31 October: 21 of 31 days of 49.99 = -33.86",
        "+ Enterprise, 11–31 October: 21 of 31 days of 199.99 = 135.48",
        "+ Pro, 1–10 October: tokens included (400000) = 0.00",
        "+ Enterprise, 11–31 October: tokens included (2900000) = 0.00",
    ]
    assert format_minor(found.difference_minor, "USD") == "83.22"


CASES = [
    ("pro 09-01", change("enterprise")),
    ("pro 09-01", change("free")),
    ("pro 09-01", change("free", "period-end")),
    ("pro 09-01", change("enterprise", "10-31 23:59:59")),
    ("pro 09-01", change("enterprise", "10-01")),
    ("pro 09-01, free 10-05, enterprise 10-09", change("pro", "10-20 06:00")),
    ("pro 09-01", cancel("now")),
    ("pro 09-01", cancel("10-20 12:34:56")),
    ("free 09-01, enterprise 10-20", withdraw("10-20")),
    ("pro 09-01", pause("now", "10-25")),
    ("trial pro 10-01, pro 10-15", to_trial_end("10-25")),
    ("pro 08-01 .. 09-15 cancelled", start("enterprise")),
    ("", start("pro", trial_days=7)),
]


@pytest.mark.parametrize(("before", "command"), CASES)
def test_the_lines_are_those_that_the_close_makes(before: str, command: Command) -> None:
    found, after = preview(before, command)
    made = closed_lines(after)
    assert made == list(found.after)
    changed = Counter(found.before) - Counter(found.removed) + Counter(found.added)
    assert changed == Counter(made)
    if a_life(before).parts(found.period):
        assert closed_lines(a_life(before)) == list(found.before)


def test_a_change_at_the_end_of_the_period_changes_none_of_its_lines() -> None:
    found, _ = preview("pro 09-01", change("free", "period-end"))
    assert (found.removed, found.added, found.difference_minor) == ([], [], 0)


def test_looking_writes_nothing() -> None:
    life = a_life("pro 09-01")
    ledger = FakeLedger(CATALOGS, [life])
    preview_change(life, a_life("pro 09-01, free 10-11"), when(NOW), ledger, warehouse(), AS_OF)
    assert ledger.writes == []
