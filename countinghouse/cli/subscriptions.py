"""`countinghouse subscriptions`: give tenants plans from a file, list who has which plan."""

import getpass
import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from countinghouse.cli.nearest import suggesting
from countinghouse.cli.tables import chosen_format, show
from countinghouse.settings import Settings
from schemas.errors import InvalidInput
from schemas.period import BillingPeriod, format_instant
from schemas.subscription import Subscription

COLUMNS = ("tenant", "plan", "starts_at", "ends_at", "currency", "card", "catalog_version")

subscriptions = typer.Typer(no_args_is_help=True, help="Give tenants plans, or list them.")

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for a script.")]


@subscriptions.command("apply")
def apply(
    file: Annotated[
        Path, typer.Argument(help="CSV: tenant, plan, starts_at[, ends_at][, currency][, card].")
    ],
    as_script: JsonOption = False,
) -> None:
    """Give tenants the plans of a file; tenants that it does not name keep theirs."""
    from countinghouse.init import now_ms, read_text
    from pipelines import subscription_file
    from stores import ledger

    books = ledger.connect(Settings().ledger_url)
    version, catalog = books.catalog()
    wanted = subscription_file.parse(read_text(file), str(file), version, catalog)
    saved = books.save_subscriptions(wanted, now_ms(), getpass.getuser())
    if as_script:
        typer.echo(json.dumps(asdict(saved)))
    else:
        typer.echo(f"{saved.created} created, {saved.changed} changed, {saved.unchanged} unchanged")


@subscriptions.command("list")
def list_subscriptions(
    tenant: Annotated[str, typer.Option(help="Only this tenant.")] = "",
    month: Annotated[str, typer.Option(help="Only plans in this month, like 2026-10.")] = "",
    as_script: JsonOption = False,
) -> None:
    """List who has which plan from when to when; times are UTC, an end is exclusive."""
    from stores import ledger

    books = ledger.connect(Settings().ledger_url)
    if tenant:
        with suggesting(tenant, books.tenant_names(), "subscriptions list"):
            found = [books.subscribed(tenant).subscription]
    else:
        found = books.subscriptions()
    period = _period(month) if month else None
    rows = [row for subscription in found for row in _rows(subscription, period)]
    show(COLUMNS, rows, chosen_format(as_json=as_script, as_csv=False))


def _period(month: str) -> BillingPeriod:
    try:
        return BillingPeriod.month(month)
    except ValueError as problem:
        raise InvalidInput(f"--month: {problem}") from None


def _rows(subscription: Subscription, period: BillingPeriod | None) -> list[tuple[object, ...]]:
    """A row for each plan, the card by its last four digits."""
    return [
        (
            subscription.tenant,
            segment.plan,
            format_instant(segment.starts_ms),
            None if segment.ends_ms is None else format_instant(segment.ends_ms),
            subscription.currency,
            f"…{subscription.card[-4:]}",
            segment.catalog_version,
        )
        for segment in subscription.segments
        if period is None or segment.within(period)
    ]
