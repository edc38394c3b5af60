"""`countinghouse subscriptions`: give tenants plans from a file, list who has which plan.

The commands on plans are in the modules of `PLAN_COMMANDS`, which add themselves to its groups.
"""

import getpass
import json
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from countinghouse.cli.nearest import suggesting
from countinghouse.cli.options import JsonOption
from countinghouse.cli.plan_order import ClosedOption, orders, previews
from countinghouse.cli.tables import chosen_format, show
from countinghouse.settings import Settings
from schemas.errors import InvalidInput
from schemas.period import BillingPeriod, format_instant
from stores.ledger import SubscribedTenant

if TYPE_CHECKING:
    from pipelines.plans.file_currencies import Currencies
    from stores.ledger import Ledger

PLAN_COMMANDS = (
    "countinghouse.cli.plan_orders",
    "countinghouse.cli.plan_moving",
    "countinghouse.cli.plan_history",
)
COLUMNS = (
    "tenant",
    "plan",
    "phase",
    "starts_at",
    "ends_at",
    "interval",
    "anchor_day",
    "currency",
    "card",
    "catalog_version",
    "state",
)

subscriptions = typer.Typer(no_args_is_help=True)


@subscriptions.command("apply")
def apply(
    file: Annotated[Path, typer.Argument(help="CSV; its columns are listed above.")],
    in_closed_months: ClosedOption = False,
    as_script: JsonOption = False,
) -> None:
    """Give tenants the plans of a file; tenants that it does not name keep theirs.

    What it says of a tenant is all that the tenant has then, whatever commands have changed.

    Columns: tenant, plan, starts_at[, ends_at, currency, card, interval, trial_days, anchor_day].
    """
    from countinghouse.init import now_ms, read_text
    from pipelines.plans import subscription_file
    from stores import ledger

    books = ledger.connect(Settings().ledger_url)
    version, catalog = books.catalog()
    text = read_text(file)
    known = _known_currencies(text, books)
    wanted = subscription_file.parse(text, str(file), version, catalog, known)
    saved = books.save_subscriptions(
        wanted, now_ms(), getpass.getuser(), in_closed_months=in_closed_months
    )
    if as_script:
        typer.echo(json.dumps(asdict(saved)))
    else:
        typer.echo(f"{saved.created} created, {saved.changed} changed, {saved.unchanged} unchanged")


def _known_currencies(text: str, books: "Ledger") -> "Currencies":
    """What the tenants of a file are billed in, and why it stays where it says another."""
    from pipelines.plans.file_currencies import Currencies, said_currencies

    said = said_currencies(text)
    known = books.currencies(said)
    other = [tenant for tenant, own in known.items() if said[tenant] not in ("", own)]
    return Currencies(known, books.why_currencies_stay(other))


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
        with suggesting(tenant, books.tenant_names, "subscriptions list"):
            found = [books.subscribed(tenant)]
    else:
        found = books.all_subscribed()
    period = _period(month) if month else None
    rows = [row for each in found for row in _rows(each, period)]
    show(COLUMNS, rows, chosen_format(as_json=as_script, as_csv=False))


def _period(month: str) -> BillingPeriod:
    try:
        return BillingPeriod.month(month)
    except ValueError as problem:
        raise InvalidInput(f"--month: {problem}") from None


def _rows(stored: SubscribedTenant, period: BillingPeriod | None) -> list[tuple[object, ...]]:
    """A row for each plan, the card by its last four digits, the state as of now."""
    subscription = stored.subscription
    return [
        (
            subscription.tenant,
            segment.plan,
            segment.phase,
            format_instant(segment.starts_ms),
            None if segment.ends_ms is None else format_instant(segment.ends_ms),
            segment.interval,
            subscription.anchor_day,
            subscription.currency,
            f"…{subscription.card[-4:]}",
            segment.catalog_version,
            stored.state,
        )
        for segment in subscription.segments
        if period is None or segment.within(period)
    ]


for _module in PLAN_COMMANDS:
    import_module(_module)
subscriptions.add_typer(orders)
subscriptions.add_typer(previews, name="preview")
