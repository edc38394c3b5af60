"""`countinghouse counters`: making counters anew from what is stored."""

import json
from collections.abc import Collection
from contextlib import closing
from dataclasses import asdict
from typing import Annotated

import typer

from countinghouse.cli.nearest import suggesting
from countinghouse.cli.options import JsonOption
from countinghouse.settings import Settings
from schemas.errors import NotFound

counters = typer.Typer(no_args_is_help=True)


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
    """Rebuild counters from the warehouse, while everything runs.

    Each partition's counters stand still for a few seconds, one partition after the other. What
    was announced stays announced; what is reached and was not is announced now.
    """
    from countinghouse.rebuild import rebuild as rebuilding

    settings, done = Settings(), []
    _check_tenants(settings, tenant or ())
    for one in rebuilding(settings, meter or (), tenant or ()):
        done.append(asdict(one))
        typer.echo(
            f"partition {one.partition}: {one.counters:,} counters as of offset "
            f"{one.position:,}, {one.changed:,} changed, {one.announced:,} announced",
            err=True,
        )
    if as_script:
        typer.echo(json.dumps(done))


def _check_tenants(settings: Settings, named: Collection[str]) -> None:
    """Whoever is named has a subscription, or usage without one. Raises NotFound."""
    from countinghouse.wiring import usage_reader
    from stores import ledger

    if not named:
        return
    with usage_reader(settings) as usage, closing(ledger.connect(settings.ledger_url)) as books:
        known = {*usage.tenants(named), *books.currencies(named)}
        names = lambda: sorted({*usage.tenants(), *books.tenant_names()})  # noqa: E731
        for each in named:
            with suggesting(each, names, "subscriptions list"):
                if each not in known:
                    raise NotFound(f"tenant {each!r} has neither a subscription nor usage")
