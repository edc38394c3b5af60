"""`countinghouse rejected list`: elements that were not counted, and why."""

from collections.abc import Sequence
from contextlib import closing
from typing import Annotated, Any

import typer

from countinghouse.cli.options import JsonOption
from countinghouse.cli.tables import Format, chosen_format, show
from countinghouse.settings import Settings
from stores.warehouse import client

COLUMNS = ("arrived", "reason", "detail", "key", "topic", "partition", "offset", "item", "element")
SHORT_COLUMNS = ("arrived", "reason", "key", "topic", "partition", "offset", "item", "detail")

rejected = typer.Typer(no_args_is_help=True)


@rejected.callback()
def _group() -> None:
    """Events that were rejected."""


@rejected.command("list")
def list_rejected(
    reason: Annotated[str, typer.Option(help="Only this reason, such as invalid_time.")] = "",
    tenant: Annotated[str, typer.Option(help="Only records with this key.")] = "",
    limit: Annotated[int, typer.Option(min=1, help="How many; the newest come first.")] = 50,
    as_script: JsonOption = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV.")] = False,
) -> None:
    """List what was not counted, the newest first, and what to change."""
    settings = Settings()
    parameters = {"reason": reason, "tenant": tenant, "limit": limit}
    with closing(client.connect(settings.clickhouse_url)) as warehouse:
        rows = client.ask(warehouse, "rejected", parameters)
    form = chosen_format(as_json=as_script, as_csv=as_csv)
    if form is Format.TABLE:
        show(SHORT_COLUMNS, map(shortened, rows), form)
    else:
        show(COLUMNS, rows, form)


def shortened(row: Sequence[Any]) -> tuple[Any, ...]:
    """A row that fits a terminal; the element itself is in `--json`."""
    arrived, reason, detail, key, topic, partition, offset, item, _ = row
    return arrived, reason, key, topic, partition, offset, item, detail
