"""`countinghouse bundle MONTH`: a closed month as files that anyone can recompute."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from countinghouse.cli.options import JsonOption
from countinghouse.cli.progress import shown
from countinghouse.settings import Settings
from schemas.errors import BillingError


def bundle(
    month: Annotated[str, typer.Argument(help="The month, like 2026-10.")],
    out: Annotated[
        Path | None, typer.Option(help="The folder; default: bundles/MONTH in the home folder.")
    ] = None,
    as_script: JsonOption = False,
) -> None:
    """Write a month's bundle: usage, prices and invoices as Parquet, manifest.json, verify.sql.

    `close` writes it too. A bundle that is there is replaced as a whole; the same month gives the
    same bytes. README.md inside says how DuckDB alone computes every line again.
    """
    from countinghouse.bundling import bundle_month

    with shown() as progress:
        result = bundle_month(Settings(), month, out, progress)
    if as_script:
        typer.echo(json.dumps(asdict(result)))
        return
    typer.echo(
        f"{month}: {result.lines:,} lines and all that they are made from, {result.files} files, "
        f"{result.bytes:,} bytes, in {result.folder}"
    )
    typer.echo(f"content {result.content_sha256}")


def renew(settings: Settings, month: str) -> None:
    """Write a month's bundle anew, if there is one: its invoices have changed since.

    They stand whatever becomes of it, so what hinders it is said and is no error.
    """
    from stores.bundles import is_there

    folder = settings.bundle_folder(month)
    if not is_there(folder):
        return
    from countinghouse.bundling import bundle_month

    try:
        bundle_month(settings, month)
        told = f"bundle written anew: {folder}"
    except BillingError as reason:
        remedy = f"then write it anew: `countinghouse bundle {month}`"
        told = f"the bundle in {folder} is that of before ({reason}); {remedy}"
    typer.echo(told, err=True)
