"""`countinghouse demo`: the whole way once, on a month of real usage."""

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from countinghouse.init import DEFAULT_CATALOG, EXAMPLES
from countinghouse.whole_file import writing


def demo(
    usage: Annotated[
        Path, typer.Option(help="Parquet or CSV: tenant, time, model, input_tokens, output_tokens.")
    ] = EXAMPLES / "data" / "llm_usage.parquet",
    subscriptions: Annotated[
        Path | None,
        typer.Option(help="CSV: tenant, plan, starts_at[, ends_at][, currency][, card]."),
    ] = None,
    plan_changes: Annotated[
        Path | None,
        typer.Option(help="CSV: given_at, tenant, command (change, cancel), plan, when, why."),
    ] = None,
    catalog: Annotated[Path, typer.Option(help="The price list, YAML.")] = DEFAULT_CATALOG,
    month: Annotated[str, typer.Option(help="The month to close.")] = "2026-10",
    limit: Annotated[int | None, typer.Option(help="Replay the first N rows only.")] = None,
    keep: Annotated[
        bool, typer.Option("--keep", help="Leave the stack running at the end.")
    ] = False,
    report: Annotated[Path | None, typer.Option(help="Write the report as JSON.")] = None,
) -> None:
    """Replay a month of usage, see limits being crossed, close it, collect, and reconcile.

    Data stays in the home folder (.countinghouse): a second run says what it found there.
    """
    from countinghouse.demo.input import DRAFT, PLAN_CHANGES, SUBSCRIPTIONS, DemoInput
    from countinghouse.demo.session import run_demo

    # The shipped changes are of the shipped subscriptions.
    changes = PLAN_CHANGES if subscriptions is None and plan_changes is None else plan_changes
    draft = DRAFT if catalog == DEFAULT_CATALOG else None
    given = (usage, subscriptions or SUBSCRIPTIONS, catalog, month)
    chosen = DemoInput(*given, limit=limit, plan_changes=changes, draft=draft)
    outcome = run_demo(chosen, Console(), keep=keep)
    if report is not None:
        with writing(report) as unfinished:
            unfinished.write_text(outcome.model_dump_json(indent=1) + "\n")
    if outcome.reconciliation.differences:
        typer.echo("countinghouse: the figures differ; see the reconciliation above", err=True)
        sys.exit(1)
