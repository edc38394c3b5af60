"""`countinghouse chaos`: proof by faults that counting and landing are exact."""

import json
import secrets
import shutil
import signal
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer

from countinghouse.cli.options import JsonOption
from countinghouse.settings import Settings


def chaos(  # noqa: PLR0913, PLR0917  a command's options are its arguments
    seed: Annotated[
        int | None, typer.Option(help="The same seed gives the same faults; default: random.")
    ] = None,
    minutes: Annotated[float, typer.Option(min=0.2, help="How long faults go on.")] = 2.0,
    workers: Annotated[int, typer.Option(min=1, help="Counters workers at the start.")] = 3,
    landers: Annotated[int, typer.Option(min=1, help="Landing processes at the start.")] = 2,
    partitions: Annotated[int, typer.Option(min=1, help="Partitions of the topics.")] = 8,
    tenants: Annotated[int, typer.Option(min=4, help="Tenants; every fourth changes plans.")] = 40,
    rate: Annotated[int, typer.Option(min=1, help="Messages a second.")] = 400,
    as_script: JsonOption = False,
    keep: Annotated[bool, typer.Option("--keep", help="Keep the folder of a clean run.")] = False,
) -> None:
    """Kill, freeze and cut off real processes while usage flows, then recount everything.

    Exit code 1 when anything differs from what was sent; the folder is kept then.
    """
    from countinghouse.chaos.report import lines
    from countinghouse.chaos.run import ChaosRun, Options

    chosen = secrets.randbelow(10**6) if seed is None else seed
    home = _new_folder(Settings().home, chosen)
    options = Options(
        seed=chosen,
        duration_ms=int(minutes * 60_000),
        workers=workers,
        landers=landers,
        partitions=partitions,
        tenants=tenants,
        rate=rate,
    )
    signal.signal(signal.SIGTERM, _interrupt)  # else its processes would be left behind
    typer.echo(f"seed {chosen}", err=True)
    outcome = ChaosRun(options, home, lambda line: typer.echo(line, err=True)).run()
    if as_script:
        typer.echo(json.dumps(outcome.as_json(), indent=1))
    else:
        typer.echo("\n".join(lines(outcome)))
    if not outcome.is_ok:
        raise typer.Exit(1)
    if not keep:
        shutil.rmtree(home)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _new_folder(below: Path, seed: int) -> Path:
    """A folder for the run, that none before has used."""
    number = 1
    while (home := below.absolute() / "chaos" / f"{seed}-{number}").exists():
        number += 1
    home.mkdir(parents=True)
    return home
