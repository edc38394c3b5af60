"""`countinghouse pay MONTH`: collect again what is still owed."""

import json
from dataclasses import asdict
from typing import Annotated

import typer
from rich.console import Console

from countinghouse.cli.close import result_table
from countinghouse.cli.options import JsonOption
from countinghouse.settings import Settings


def pay(
    month: Annotated[str, typer.Argument(help="A closed month, like 2026-10.")],
    as_script: JsonOption = False,
) -> None:
    """Collect what is still owed of a closed month; a card that failed is charged again.

    Each try is a new attempt with its own key, so nothing is charged twice.
    """
    from countinghouse.closing_run import pay_month

    result = pay_month(Settings(), month, lambda line: typer.echo(line, err=True))
    if as_script:
        typer.echo(json.dumps(asdict(result), indent=1))
        return
    if result.nothing_to_do:
        typer.echo(f"nothing to do: nothing of {month} is owed")
    Console().print(result_table(result))
