"""`countinghouse subscriptions move`: all subscribers of a plan to another price list."""

import json
from contextlib import closing
from typing import Annotated

import typer

from countinghouse.cli.instants import AtOption, moment
from countinghouse.cli.options import JsonOption
from countinghouse.cli.plan_order import (
    ClosedOption,
    KeyOption,
    Ordered,
    WhoOption,
    WhyOption,
    carried_as_json,
    new_order,
    orders,
    with_options,
)
from countinghouse.settings import Settings
from pipelines.plans.plan_commands import Move


def move(
    plan: Annotated[str, typer.Argument(help="The plan, as `catalog show` names it.")],
    from_version: Annotated[int, typer.Option("--from", help="The price list's version to leave.")],
    to_version: Annotated[int, typer.Option("--to", help="The version to go to.")],
    to_plan: Annotated[str, typer.Option(help="The plan there; default: the same.")] = "",
    at: AtOption = "period-end",
) -> Ordered:
    """Move all subscribers of a plan from a version of the price list to another."""
    return Ordered(
        Move(
            plan=plan,
            from_version=from_version,
            to_version=to_version,
            to_plan=to_plan or None,
            when=moment(at),
        )
    )


def _move_all(
    ordered: Ordered,
    who: WhoOption = "",
    why: WhyOption = "",
    key: KeyOption = "",
    in_closed_months: ClosedOption = False,
    as_script: JsonOption = False,
) -> None:
    from pipelines.plans.plan_records import move_all
    from stores import ledger

    order = new_order(ordered.command, who, why, key, in_closed_months=in_closed_months)
    with closing(ledger.connect(Settings().ledger_url)) as books:
        moved = move_all(books, order)
    if as_script:
        typer.echo(json.dumps([carried_as_json(each) for each in moved]))
        return
    done = sum(not each.is_repeat for each in moved)
    typer.echo(f"{done} moved, {len(moved) - done} moved before")


orders.command("move")(with_options(move, _move_all))
