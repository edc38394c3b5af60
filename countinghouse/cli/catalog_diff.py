"""`countinghouse catalog diff`: what a change of the price list does to whom."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from countinghouse.cli.options import JsonOption
from countinghouse.settings import Settings
from schemas.catalog import Catalog
from schemas.errors import DependencyUnreachable, NotFound

if TYPE_CHECKING:
    from pipelines.catalog.catalog_diff import Change
    from stores.ledger import Ledger

FileOrVersion = Annotated[str, typer.Argument(help="A price list's file, or a version's number.")]


def diff(
    old: FileOrVersion,
    new: Annotated[
        str, typer.Argument(help="Another; without it, OLD is compared with the one in force.")
    ] = "",
    as_script: JsonOption = False,
) -> None:
    """Say what a change of the price list does to whom; nothing is stored.

    With one price list it is the new one, and the one in force is the old one. Who is concerned is
    counted where the ledger is there. Exit code 1 when they differ, as of `diff`.
    """
    from countinghouse.init import now_ms
    from pipelines.catalog.catalog_diff import changes

    books = _ledger()
    before, after = (old, new) if new else ("", old)
    holders = None if books is None else books.holders(now_ms())
    found = changes(_read(before, books), _read(after, books), holders)
    typer.echo("\n".join(_told(found, as_script=as_script)))
    if found:
        raise typer.Exit(1)


def _told(found: "Sequence[Change]", *, as_script: bool) -> Iterator[str]:
    from pipelines.catalog.catalog_diff import in_words

    if as_script:
        yield json.dumps([asdict(change) for change in found])
    elif found:
        yield from in_words(found)
    else:
        yield "nothing differs"


def _ledger() -> "Ledger | None":
    """The ledger with a price list in it, or None: two files need none."""
    from stores import ledger

    try:
        books = ledger.connect(Settings().ledger_url)
        books.catalog_document()
    except (DependencyUnreachable, NotFound):
        return None
    return books


def _read(text: str, books: "Ledger | None") -> Catalog:
    """A file, or a version of the ledger; the one in force for nothing."""
    from countinghouse.init import read_text
    from pipelines.catalog import catalog_file

    if text and not text.isdecimal():
        return catalog_file.parse(read_text(Path(text)), text)
    if books is None:
        raise NotFound(
            "there is no ledger with a price list; name two files, or run "
            "`countinghouse catalog apply FILE` first"
        )
    return books.catalog(int(text) if text else None)[1]
