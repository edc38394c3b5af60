"""`countinghouse close MONTH`: from usage to invoices and money, through Dagster."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from countinghouse.cli.options import JsonOption
from countinghouse.settings import Settings

if TYPE_CHECKING:
    from countinghouse.closing_run import CloseResult

PARTLY = 3


def close(
    month: Annotated[str, typer.Argument(help="The month to close, like 2026-10.")],
    without_counters: Annotated[
        str, typer.Option(metavar="REASON", help="Close without comparing the counters.")
    ] = "",
    draft_only: Annotated[
        bool, typer.Option("--draft-only", help="Stop before invoices are numbered.")
    ] = False,
    is_dry: Annotated[
        bool, typer.Option("--dry-run", help="Write nothing; show what the close would do.")
    ] = False,
    bundle: Annotated[
        Path | None,
        typer.Option(help="The bundle's folder; default: bundles/MONTH in the home."),
    ] = None,
    as_script: JsonOption = False,
) -> None:
    """Close a month: usage, lines, drafts, their reconciliation, final invoices, collection.

    The runs are Dagster's, so its UI shows them. Closing again changes nothing. A closed month is
    written as a bundle too, from which anyone can compute its lines again. Exits 3 when a tenant is
    held or waits for approval.
    """
    if is_dry:
        from countinghouse.cli.dry_run import dry_run

        dry_run(month, without_counters, as_script=as_script)
        return
    from countinghouse.bundling import bundle_closed
    from countinghouse.closing_run import close_month

    settings = Settings()
    result = close_month(
        settings,
        month,
        lambda line: typer.echo(line, err=True),
        without_counters=without_counters or None,
        draft_only=draft_only,
    )
    folder = bundle_closed(settings, result, bundle)
    if as_script:
        typer.echo(json.dumps(asdict(result) | {"bundle": folder}, indent=1))
    else:
        tell(result, folder)
    if not result.is_whole:
        raise typer.Exit(PARTLY)


def tell(result: "CloseResult", folder: str | None) -> None:
    """What a person reads of a close."""
    if result.nothing_to_do:
        at = result.closed_at or "without invoices"
        typer.echo(f"nothing to do: {result.month} was closed {at}")
    Console().print(result_table(result))
    for tenant, reason in result.held.items():
        typer.echo(f"held: {tenant}: {reason}")
    if result.unapproved:
        typer.echo(f"waiting for approval: {result.unapproved:,}")
    for warning in result.warnings:
        typer.echo(f"worth a look: {warning}")
    if folder is not None:
        typer.echo(f"bundle: {folder}")


def result_table(result: "CloseResult") -> Table:
    """Invoices by state, payments by outcome, and the money of both."""
    from schemas.money import Money

    table = Table("", "", box=None, show_header=False, pad_edge=False)
    for state, count in result.invoices.items():
        table.add_row(f"invoices {state.replace('_', ' ')}", str(count))
    for currency, amount_minor in result.totals_minor.items():
        table.add_row("in all", str(Money(amount_minor, currency)))
    for name, count in asdict(result.collected).items():
        table.add_row(f"payments {name.replace('_', ' ')}", str(count))
    for currency, amount_minor in result.received_minor.items():
        table.add_row("received, net of what went back", str(Money(amount_minor, currency)))
    return table
