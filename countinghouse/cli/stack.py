"""`up`, `down`, `status`, `doctor`: the local stack from the command line."""

import json
import signal
import time
from dataclasses import asdict
from types import FrameType
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from countinghouse.cli import status as status_page
from countinghouse.cli.options import JsonOption
from countinghouse.cli.progress import stages
from countinghouse.local.checks import all_checks
from countinghouse.local.stack import LocalStack
from countinghouse.settings import Settings

WATCH_SECONDS = 0.5


def up(
    detach: Annotated[
        bool, typer.Option("--detach", "-d", help="Return when all is ready; `down` stops it.")
    ] = False,
    replay: Annotated[
        bool, typer.Option("--replay", help="Admit events of any age, to replay old usage.")
    ] = False,
) -> None:
    """Start the local stack: Kafka, ClickHouse, our workers, Dagster. Ctrl-C stops it."""
    settings = _replaying() if replay else Settings()
    stack = LocalStack(settings)
    was_running = stack.is_running()
    signal.signal(signal.SIGTERM, _interrupt)
    stack.start(typer.echo)
    typer.echo(addresses(settings))
    if was_running or detach:
        typer.echo("the stack runs already" if was_running else "`countinghouse down` stops it")
        return
    typer.echo("Ctrl-C stops it")
    _watch(stack)


def down() -> None:
    """Stop the local stack, also what is left of a killed one."""
    stack = LocalStack(Settings())
    with stages("stopping") as stage:
        stopped = stack.stop(stage)
    typer.echo(f"stopped {stopped} processes" if stopped else f"nothing runs in {stack.home}")


def status(as_script: JsonOption = False) -> None:
    """Show the processes of the local stack; exit code 1 unless all of them are ready."""
    settings = Settings()
    found = status_page.reports(settings)
    if as_script:
        typer.echo(status_page.as_json(found))
    else:
        status_page.show(found, Console())
        typer.echo(f"logs       {settings.home.absolute() / 'logs'}")
    if not all(report.process.is_ready for report in found):
        raise typer.Exit(1)


def doctor(as_script: JsonOption = False) -> None:
    """Look for what is missing on this machine; exit code 1 when something is."""
    settings = Settings()
    is_running = LocalStack(settings).is_running()
    checks = list(all_checks(settings, is_running=is_running))
    if as_script:
        typer.echo(json.dumps([asdict(check) for check in checks], indent=1))
    else:
        table = Table("", "check", "found", "what to do", box=None)
        for check in checks:
            mark = "[green]ok[/]" if check.ok else "[red]no[/]"
            table.add_row(mark, check.name, check.found, "" if check.ok else check.remedy)
        Console().print(table)
    if not all(check.ok for check in checks):
        raise typer.Exit(1)


def addresses(settings: Settings) -> str:
    """Where everything is, for a person."""
    token = f"user countinghouse, password in {settings.home / 'warehouse.token'}"
    host = settings.host
    warehouse = f"http://127.0.0.1:{settings.warehouse_port} ({token})"
    return "\n".join(
        [
            f"Kafka       {settings.kafka_servers}",
            f"ClickHouse  {settings.clickhouse.rpartition('@')[2] or warehouse}",
            f"API         http://{host}:{settings.api_port}",
            f"Dagster     http://{host}:{settings.dagster_port}",
        ]
    )


def _replaying() -> Settings:
    """The settings with both event limits off."""
    return Settings(max_event_age=None, max_event_lead=None)


def _watch(stack: LocalStack) -> None:
    """Wait until someone stops the stack: a Ctrl-C here, or `down` elsewhere."""
    try:
        while stack.is_running():
            time.sleep(WATCH_SECONDS)
    except KeyboardInterrupt:
        typer.echo("\nstopping")
        with stages("stopping") as stage:
            stack.stop(stage)
        raise
    typer.echo("the stack was stopped elsewhere")


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
