"""`countinghouse verify MONTH`: is a month still what usage and prices make of it?"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from countinghouse.cli.options import JsonOption
from countinghouse.cli.progress import shown
from countinghouse.cli.tables import chosen_format, show
from countinghouse.settings import Settings

if TYPE_CHECKING:
    from countinghouse.bundling import BundleChecked

_NAMED = 5
_FOLLOWS = (
    " What is computed from a changed figure differs with it: one row of usage may be told in"
    " several lines."
)
COLUMNS = ("tenant", "where", "line", "what", "stored", "recomputed")


def verify(
    month: Annotated[str, typer.Argument(help="The month, like 2026-10.")],
    bundle: Annotated[
        Path | None, typer.Option(help="Check this bundle by its own script instead.")
    ] = None,
    as_script: JsonOption = False,
) -> None:
    """Compute a month again from warehouse and ledger, by its stored cut, and list differences.

    Compared are usage, every line and every document; nothing is written. Exit code 1 when
    something differs. With `--bundle` it is the files of that month's bundle.
    """
    if bundle is not None:
        _check_bundle(bundle, month, as_script=as_script)
        return
    from countinghouse.closing_run import check_month
    from countinghouse.wiring import usage_reader
    from pipelines.close.verification import verify as verify_month
    from stores import ledger

    settings = Settings()
    check_month(month)
    with usage_reader(settings) as usage, shown() as progress:
        found = verify_month(month, ledger.connect(settings.ledger_url), usage, progress)
    if as_script:
        typer.echo(json.dumps(asdict(found)))
    elif found.differences:
        rows = [
            [None if it is None else str(it) for it in asdict(d).values()]
            for d in found.differences
        ]
        show(COLUMNS, rows, chosen_format(as_json=False, as_csv=False))
    told = f"{found.invoices:,} invoices, {found.lines:,} lines and {found.usage:,} sums of usage"
    _tell(f"{month}: {told} computed again", len(found.differences))


def _check_bundle(folder: Path, month: str, *, as_script: bool) -> None:
    from countinghouse.bundling import check_bundle
    from countinghouse.closing_run import check_month

    check_month(month)
    with shown() as progress:
        progress("the bundle's own script", 0, 0)
        found = check_bundle(folder, month)
    if as_script:
        typer.echo(json.dumps(asdict(found)))
    else:
        for change in found.changed:
            typer.echo(change)
        if found.differences:
            rows = [list(row.values()) for row in found.differences]
            show(list(found.differences[0]), rows, chosen_format(as_json=False, as_csv=False))
    told = f"{folder}: {found.lines:,} lines computed again"
    if not found.changed and not found.differences:
        _tell(told, 0)
        return
    typer.echo(f"{told}: {', and '.join(_otherwise(found))}.{_FOLLOWS}", err=True)
    raise typer.Exit(1)


def _otherwise(found: "BundleChecked") -> Iterator[str]:
    """What is not as it was written, and how many things of which tenants differ."""
    if found.changed:
        names = [change.partition(" ")[0] for change in found.changed]
        is_ = "is" if len(names) == 1 else "are"
        yield f"{_counted(names, 'file')} {is_} not as written ({_named(names)})"
    for what in dict.fromkeys(row["what"] for row in found.differences):
        own = [row["tenant"] for row in found.differences if row["what"] == what]
        whose = list(dict.fromkeys(own))
        come = "comes" if len(own) == 1 else "come"
        of = f"{_counted(whose, 'tenant')} ({_named(whose)})"
        yield f"{_counted(own, what)} of {of} {come} out otherwise"


def _counted(those: Sequence[str], what: str) -> str:
    return f"{len(those):,} {what}{'s' * (len(those) != 1)}"


def _named(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED:,} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more


def _tell(what: str, differing: int) -> None:
    typer.echo(f"{what}, {differing or 'nothing'} differ{'s' * (differing < 2)}", err=True)
    if differing:
        raise typer.Exit(1)
