"""`countinghouse replay FILE`: usage from a file onto Kafka, each row once."""

import json
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress

from countinghouse.cli.options import JsonOption
from countinghouse.counters_lag import counters_lag, lag_or_far
from countinghouse.replay import (
    AlreadySent,
    Lag,
    ReplayResult,
    find_sent,
)
from countinghouse.replay import replay as send
from countinghouse.replay_file import ReplaySource, read_source
from countinghouse.replay_plan import Extras
from countinghouse.settings import Settings
from countinghouse.wiring import await_landing, replay_target
from stores.warehouse import client


def replay(
    file: Annotated[Path, typer.Argument(help="A parquet or CSV file.")],
    limit: Annotated[int | None, typer.Option(min=0, help="Only the first rows.")] = None,
    resend_share: Annotated[
        float, typer.Option(min=0, max=1, help="Share of the rows to send twice.")
    ] = 0,
    resend_beyond: Annotated[
        int, typer.Option(min=0, help="Rows to send again beyond the counters' window.")
    ] = 0,
    pace: Annotated[int | None, typer.Option(min=1, help="At most so many rows a second.")] = None,
    malformed: Annotated[int, typer.Option(min=0, help="How many malformed elements to add.")] = 0,
    as_script: JsonOption = False,
) -> None:
    """Send usage from a parquet or CSV file to Kafka, one event a row.

    Columns: tenant, time (UTC), model, input_tokens, output_tokens. Rows that were sent before are
    not sent again. Old usage needs a stack that admits it: `countinghouse up --replay`.
    """
    settings = Settings()
    source = read_source(file, limit)
    extras = Extras(resend_share, resend_beyond, malformed)
    result = _send(settings, source, extras, _already(settings, source), pace)
    typer.echo(_as_json(result) if as_script else _told(result))
    if result.beyond < resend_beyond and not result.skipped:
        typer.echo("the file is too short for more repeats beyond the counters' window", err=True)


def _already(settings: Settings, source: ReplaySource) -> AlreadySent:
    """What is there already, once landing has read all of the log."""
    await_landing(settings)
    with closing(client.connect(settings.clickhouse_url)) as warehouse:
        return find_sent(warehouse, source)


def _send(
    settings: Settings,
    source: ReplaySource,
    extras: Extras,
    already: AlreadySent,
    pace: int | None,
) -> ReplayResult:
    target = replay_target(settings)
    throttle = _throttle(settings)
    with Progress(console=Console(stderr=True), transient=True) as bars:
        bar = bars.add_task("replaying usage", total=len(source))
        return send(
            source,
            target,
            extras=extras,
            throttle=throttle,
            already=already,
            pace=pace,
            progress=lambda done, _: bars.update(bar, completed=done),
        )


def _throttle(settings: Settings) -> Lag | None:
    """The counters' lag, to go at their pace; None when no counters run here."""
    if counters_lag(settings) is None:
        typer.echo("no counters answer here: replaying as fast as Kafka takes it", err=True)
        return None

    return lambda: lag_or_far(settings)


def _as_json(result: ReplayResult) -> str:
    return json.dumps({**asdict(result), "produced": result.produced})


def _told(result: ReplayResult) -> str:
    lines = [
        f"sent {result.sent:,} events in {result.seconds:.1f} s, "
        f"{result.skipped:,} were there already"
    ]
    if result.produced > result.sent:
        lines.append(
            f"and {result.resent:,} again, {result.beyond:,} again beyond the counters' window, "
            f"{result.malformed:,} malformed"
        )
    if result.slowed:
        lines.append(f"slowed down for the counters {result.slowed_seconds:.1f} s")
    return "\n".join(lines)
