"""`countinghouse catalog`: check a price list's file, apply it, show what is in force.

Comparing two of them is in `catalog_diff`.
"""

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from countinghouse.cli.catalog_diff import diff
from countinghouse.cli.catalog_tables import tables_of
from countinghouse.cli.options import JsonOption
from countinghouse.cli.progress import shown
from countinghouse.cli.tables import Format, chosen_format, show
from countinghouse.settings import Settings

catalog = typer.Typer(no_args_is_help=True)

FileArgument = Annotated[Path, typer.Argument(help="The price list, YAML.")]


@catalog.command("check")
def check(file: FileArgument, as_script: JsonOption = False) -> None:
    """Say what is wrong with a price list, by line and column; nothing is stored."""
    from countinghouse.init import read_text
    from pipelines.catalog import catalog_file

    found = catalog_file.parse(read_text(file), str(file))
    facts = {"name": found.name, "meters": list(found.meters), "plans": list(found.plans)}
    if as_script:
        typer.echo(json.dumps(facts))
        return
    meters, plans = ", ".join(found.meters), ", ".join(found.plans)
    typer.echo(f"{file}: {found.name} is well-formed: meters {meters}; plans {plans}")


@catalog.command("apply")
def apply(file: FileArgument, as_script: JsonOption = False) -> None:
    """Make a price list the newest version; subscriptions keep theirs until they are moved."""
    from countinghouse.init import apply_catalog
    from stores import ledger

    settings = Settings()
    settings.home.mkdir(parents=True, exist_ok=True)
    ledger.migrate(settings.ledger_url)
    version, is_new = apply_catalog(ledger.connect(settings.ledger_url), file)
    if as_script:
        typer.echo(json.dumps({"version": version, "changed": is_new}))
    elif is_new:
        typer.echo(
            f"version {version} is applied; `countinghouse catalog rollout` brings it to counters, "
            "landing and the usage that is there already"
        )
    else:
        typer.echo(f"nothing changed: this is version {version}, the newest")


@catalog.command("rollout")
def rollout(as_script: JsonOption = False) -> None:
    """Bring the newest price list to counters and landing, and fill what it counts anew.

    Restarts them in the local stack, one after the other; elsewhere restart all of them first. May
    be repeated.
    """
    from countinghouse.local.stack import LocalStack
    from countinghouse.rollout import roll_out

    settings = Settings()
    stack = LocalStack(settings)

    def restart(tell: Callable[[str], None]) -> None:
        if stack.is_running():
            stack.restart(("landing", "counters"), tell)

    with shown("rolling out") as bar:

        def tell(line: str) -> None:
            typer.echo(line, err=True)
            bar(line, 0, 0)

        done = roll_out(settings, lambda: restart(tell), tell, bar)
    if as_script:
        typer.echo(json.dumps(asdict(done)))
        return
    meters = f", with {', '.join(done.meters)} counted anew" if done.meters else ""
    typer.echo(f"version {done.version} is rolled out{meters}")


catalog.command("diff")(diff)


@catalog.command("show")
def show_catalog(
    version: Annotated[int | None, typer.Option(help="Default: the newest.")] = None,
    as_script: JsonOption = False,
) -> None:
    """Show the price list in force, or an earlier version."""
    from stores import ledger

    books = ledger.connect(Settings().ledger_url)
    number, document = books.catalog_document(version)
    if as_script:
        typer.echo(json.dumps({"version": number, "catalog": json.loads(document)}))
        return
    form = chosen_format(as_json=False, as_csv=False)
    _, found = books.catalog(number)
    if form is Format.TABLE:
        typer.echo(f"{found.name}, version {number}; default plan {found.default_plan}")
    tables = tables_of(found, for_person=form is Format.TABLE)
    for place, (title, columns, rows) in enumerate(tables):
        if form is Format.TABLE:
            typer.echo(f"\n{title}")
        elif place:
            typer.echo()
        show(columns, rows, form)
