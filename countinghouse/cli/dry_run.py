"""What `countinghouse close MONTH --dry-run` does and shows; nothing reaches the ledger."""

import json
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import typer

from countinghouse.cli.moving import moves_json, show_moves, summary_json
from countinghouse.cli.progress import shown
from countinghouse.cli.tables import chosen_format
from countinghouse.settings import Settings

if TYPE_CHECKING:
    from countinghouse.dry_runs import KeptRun
    from pipelines.close.dry_run import DryRun
    from pipelines.reports.movements import Move

EXIT_CODES = {"passed": 0, "explained": 0, "held": 3, "failed": 1}
_TOLD = 10
"""Movers and findings that are shown; JSON holds all findings."""

Compared = Mapping[str, "Sequence[Move]"]
"""The changes against what went before, by what that was."""


def dry_run(month: str, without_counters: str, *, as_script: bool) -> None:
    """Close a month into memory, tell what it would be, and keep that for the next time.

    Exits 3 when tenants would be held, 1 when the run would stop.
    """
    from countinghouse.dry_runs import keep, kept
    from countinghouse.init import now_ms
    from schemas.period import format_instant

    settings = Settings()
    run, before = _run(settings, month, without_counters), kept(settings.home, month)
    compared = compared_with(run, before)
    if as_script:
        typer.echo(json.dumps(as_json(run, compared, before), indent=1))
    else:
        tell(run, compared, before)
    keep(settings.home, run, format_instant(now_ms()))
    if code := EXIT_CODES[run.outcome]:
        raise typer.Exit(code)


def _run(settings: Settings, month: str, without_counters: str) -> "DryRun":
    from contextlib import closing as closing_of

    from countinghouse.closing_run import check_month
    from countinghouse.init import now_ms
    from countinghouse.wiring import usage_log, usage_reader
    from pipelines.close.dry_run import Terms
    from pipelines.close.dry_run import dry_run as run_dry
    from stores import ledger

    check_month(month)
    grace_ms = settings.close_grace // timedelta(milliseconds=1)
    terms = Terms(grace_ms, settings.max_held, without_counters or None)
    with (
        closing_of(ledger.connect(settings.ledger_url)) as books,
        usage_reader(settings) as usage,
        shown() as progress,
    ):
        return run_dry(month, books, usage_log(settings), usage, now_ms(), terms, progress)


def compared_with(run: "DryRun", before: "KeptRun | None") -> Compared:
    from pipelines.reports.movements import moves

    found = {}
    if run.last_month is not None:
        found["last month"] = moves(run.last_month, run.totals)
    if before is not None:
        found["the last dry run"] = moves(before.totals, run.totals)
    return found


def as_json(run: "DryRun", compared: Compared, before: "KeptRun | None") -> dict[str, Any]:
    from pipelines.reports.movements import largest, summarize

    return {
        "month": run.month,
        "outcome": run.outcome,
        "catalog_version": run.catalog_version,
        "vector": run.vector.to_json(),
        "invoices": run.invoices,
        "totals": _totals(run),
        "checks": [
            {"name": it.name, "outcome": it.outcome, "findings": it.findings} for it in run.checks
        ],
        "last_dry_run_at": None if before is None else before.made_at,
        "compared": {
            against: {
                "totals": summary_json(summarize(moves)),
                "largest": moves_json(largest(moves, _TOLD)),
            }
            for against, moves in compared.items()
        },
    }


def _totals(run: "DryRun") -> dict[str, str]:
    from countinghouse.cli.moving import amount

    sums: dict[str, int] = {}
    for (_, currency), minor in run.totals.items():
        sums[currency] = sums.get(currency, 0) + minor
    return {currency: amount(minor, currency) for currency, minor in sorted(sums.items())}


def tell(run: "DryRun", compared: Compared, before: "KeptRun | None") -> None:
    form = chosen_format(as_json=False, as_csv=False)
    totals = ", ".join(f"{currency} {amount}" for currency, amount in _totals(run).items())
    typer.echo(f"{run.month}, nothing written: {run.invoices:,} invoices, {totals or 'no money'}")
    for check in run.checks:
        typer.echo(f"  {check.outcome}: {check.said or check.name}")
        for finding in check.findings[:_TOLD]:
            typer.echo(f"    {finding}")
        if len(check.findings) > _TOLD:
            typer.echo(f"    and {len(check.findings) - _TOLD:,} more")
    for against, moves in compared.items():
        at = f" of {before.made_at}" if before and against == "the last dry run" else ""
        typer.echo(f"\nagainst {against}{at}:")
        show_moves(moves, _TOLD, form)
