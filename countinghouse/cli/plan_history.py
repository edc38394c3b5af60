"""`countinghouse subscriptions history|scheduled|advance`: what was, and what will be."""

import json
from contextlib import closing
from typing import Annotated

import typer

from countinghouse.cli.nearest import suggesting
from countinghouse.cli.options import JsonOption
from countinghouse.cli.plan_order import TenantArgument, orders
from countinghouse.cli.tables import chosen_format, show
from countinghouse.settings import Settings
from schemas.period import format_instant
from schemas.plan_change import RecordedChange

HISTORY_COLUMNS = (
    "recorded_at", "effective_at", "command", "what", "from", "to", "who", "why", "key",
)  # fmt: skip
SCHEDULED_COLUMNS = ("tenant", "at", "what")


@orders.command("history")
def history(tenant: TenantArgument, as_script: JsonOption = False) -> None:
    """Show every change of a subscription: who, when, why, from which state to which."""
    from stores import ledger

    with closing(ledger.connect(Settings().ledger_url)) as books:
        with suggesting(tenant, books.tenant_names, "subscriptions list"):
            books.subscribed(tenant)
        rows = [_row(each) for each in books.plan_history(tenant)]
    show(HISTORY_COLUMNS, rows, chosen_format(as_json=as_script, as_csv=False))


def _row(change: RecordedChange) -> tuple[str | None, ...]:
    entry = change.entry
    return (
        format_instant(entry.recorded_ms),
        format_instant(entry.effective_ms),
        entry.command,
        entry.what,
        entry.from_state,
        entry.to_state,
        entry.who,
        entry.why or None,
        entry.key,
    )


@orders.command("scheduled")
def scheduled_changes(
    tenant: Annotated[str, typer.Argument(help="Only this tenant; default: all.")] = "",
    as_script: JsonOption = False,
) -> None:
    """List what is scheduled: plan changes, pauses, ends of trials, cancellations."""
    from countinghouse.init import now_ms
    from pipelines.plans.plan_schedule import scheduled
    from stores import ledger

    with closing(ledger.connect(Settings().ledger_url)) as books:
        if tenant:
            with suggesting(tenant, books.tenant_names, "subscriptions list"):
                found = [books.subscribed(tenant).subscription]
        else:
            found = books.subscriptions()
    now = now_ms()
    rows = [
        (subscription.tenant, format_instant(each.at_ms), each.what)
        for subscription in found
        for each in scheduled(subscription, now)
    ]
    show(SCHEDULED_COLUMNS, rows, chosen_format(as_json=as_script, as_csv=False))


@orders.command("advance")
def advance(as_script: JsonOption = False) -> None:
    """Record what time and payments have done: trials over, scheduled changes, unpaid invoices."""
    from countinghouse.init import now_ms
    from pipelines.plans.plan_records import record_due_transitions
    from stores import ledger

    with closing(ledger.connect(Settings().ledger_url)) as books:
        recorded = record_due_transitions(books, now_ms())
    typer.echo(json.dumps({"recorded": recorded}) if as_script else f"{recorded} recorded")
