"""`countinghouse topics`: which topics are live, and growing to more partitions."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer

from countinghouse.cli.options import JsonOption
from countinghouse.cli.tables import chosen_format, show
from countinghouse.settings import Settings

COLUMNS = ("epoch", "topic", "partitions", "opened", "ended_after")
WORKERS = ("relay", "landing", "counters")

topics = typer.Typer(no_args_is_help=True)


@topics.command("show")
def show_topics(as_script: JsonOption = False) -> None:
    """Show the epochs of the usage topic, the live one last; the others have ended."""
    from schemas.period import format_instant
    from stores import ledger

    rows = [
        (
            str(epoch.number),
            epoch.topic,
            str(epoch.partitions),
            format_instant(epoch.opened_ms),
            None if epoch.ends is None else str(sum(epoch.ends.values())),
        )
        for epoch in ledger.connect(Settings().ledger_url).epochs()
    ]
    show(COLUMNS, rows, chosen_format(as_json=as_script, as_csv=False))


@topics.command("grow")
def grow(
    partitions: Annotated[int, typer.Option(min=2, help="How many the new topics have.")],
    as_script: JsonOption = False,
) -> None:
    """Make new topics with more partitions beside the live ones; nothing uses them yet."""
    from countinghouse.growing import grow as growing

    made = growing(Settings(), partitions)
    if as_script:
        typer.echo(json.dumps({"topic": made.topic, "partitions": made.partitions}))
        return
    typer.echo(
        f"{made.topic} is there with {made.partitions} partitions, and its companions. Let your "
        "services send to it now (UsageProducer's `topic`): it is read after "
        "`countinghouse topics switch`, so do both within minutes"
    )


@topics.command("switch")
def switch(as_script: JsonOption = False) -> None:
    """Seal and drain the live topics, and go on with the new ones; may be repeated.

    Limits are not judged in between, a few seconds, and nothing is lost.
    """
    from countinghouse.growing import switch as switching
    from countinghouse.init import now_ms
    from countinghouse.local.stack import LocalStack

    settings = Settings()
    stack = LocalStack(settings)

    @contextmanager
    def pause() -> Iterator[None]:
        if not stack.is_running():
            yield
            return
        with stack.without(WORKERS, lambda line: typer.echo(line, err=True)):
            yield

    started_ms = now_ms()
    done = switching(settings, pause, lambda line: typer.echo(line, err=True))
    if stack.is_running():
        _republish(settings)
    if as_script:
        facts = {"topic": done.live.topic, "epoch": done.live.number, "counters": done.counters}
        ends = {"ended": done.ended.topic, "ends": done.ends.to_json()}
        typer.echo(json.dumps({**facts, **ends, "milliseconds": now_ms() - started_ms}))
    elif not stack.is_running():
        typer.echo(
            "start relay, landing, counters and gates anew, then run "
            "`countinghouse entitlements republish`"
        )


def _republish(settings: Settings) -> None:
    """Whatever changed meanwhile went to the old topic."""
    from countinghouse.wiring import relay_config
    from stores import ledger
    from streams.relay.relay import publish_all

    ledger.connect(settings.ledger_url).republish_entitlements()
    publish_all(relay_config(settings))
