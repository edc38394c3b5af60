"""`countinghouse counters`: making counters anew from what is stored."""

import json
from dataclasses import asdict
from typing import Annotated

import typer

from countinghouse.cli.options import JsonOption
from countinghouse.settings import Settings

counters = typer.Typer(no_args_is_help=True, help="Rebuild counters from stored usage.")


@counters.callback()
def _root() -> None:
    """Rebuild counters from stored usage."""


@counters.command("rebuild")
def rebuild(
    meter: Annotated[
        list[str] | None, typer.Option(help="Only this meter; may be given again.")
    ] = None,
    tenant: Annotated[
        list[str] | None, typer.Option(help="Only this tenant; may be given again.")
    ] = None,
    as_script: JsonOption = False,
) -> None:
    """Make counters anew from the warehouse, while everything runs.

    Each partition's counters stand still for a few seconds, one partition after the other. What
    was announced stays announced; what is reached and was not is announced now.
    """
    from countinghouse.rebuild import rebuild as rebuilding

    done = []
    for one in rebuilding(Settings(), meter or (), tenant or ()):
        done.append(asdict(one))
        typer.echo(
            f"partition {one.partition}: {one.counters:,} counters as of offset "
            f"{one.position:,}, {one.changed:,} changed, {one.announced:,} announced",
            err=True,
        )
    if as_script:
        typer.echo(json.dumps(done))
