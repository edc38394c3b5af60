"""A month's bundle on disk: made from ledger and warehouse, and checked by its own script."""

from contextlib import closing as closing_of
from dataclasses import dataclass
from pathlib import Path

import dagster as dg
import duckdb

from countinghouse.closing_run import CloseResult, check_month, dagster_environment
from countinghouse.settings import Settings
from dagster_project.month_bundle import BundleResult, run_record, write_month
from schemas.errors import InvalidInput, NotFound
from schemas.progress import Progress, unseen
from stores import ledger
from stores.bundles import MANIFEST, changed_files, read_manifest
from stores.warehouse import client
from stores.warehouse.events import WarehouseEvents


@dataclass(frozen=True, slots=True)
class BundleChecked:
    """What is wrong with a bundle: files that were changed, and lines that come out otherwise."""

    folder: str
    lines: int
    changed: tuple[str, ...]
    differences: tuple[dict[str, str], ...]


def bundle_month(
    settings: Settings, month: str, folder: Path | None = None, progress: Progress = unseen
) -> BundleResult:
    """Write the bundle of a month whose invoices are there.

    Raises:
        NotFound: the month was not opened, or has no invoices yet. InvalidInput: not a month, or
        the folder cannot be written. DependencyUnreachable: ledger or warehouse does not answer.
    """
    check_month(month)
    where = folder or settings.bundle_folder(month)
    warehouse = client.connect(settings.clickhouse_url)
    with (
        closing_of(warehouse),
        closing_of(ledger.connect(settings.ledger_url)) as books,
        dagster_environment(settings) as home,
        dg.DagsterInstance.from_config(str(home)) as instance,
    ):
        run = run_record(month, books, instance)
        return write_month(month, where, books, WarehouseEvents(warehouse), run, progress)


def bundle_closed(settings: Settings, closed: CloseResult, folder: Path | None) -> str | None:
    """Where the bundle of a month lies after its close; None while there are only drafts.

    The close's run has written it; anew it is when another folder was asked for, or there is none.
    """
    if closed.closed_at is None:
        return None
    where = folder or settings.bundle_folder(closed.month)
    if folder is not None or not (where / MANIFEST).exists():
        bundle_month(settings, closed.month, where)
    return str(where)


def check_bundle(folder: Path, month: str) -> BundleChecked:
    """Compare a bundle's files with its manifest, and its lines with those of its own script.

    Raises:
        NotFound: there is no bundle. InvalidInput: it is that of another month.
    """
    _ensure_of(month, folder)
    changed = tuple(changed_files(folder))
    with duckdb.connect(":memory:") as connection:
        # DuckDB takes `python -c` and spawned processes for a session, and draws bars on stdout.
        connection.execute("SET enable_progress_bar = false")
        connection.execute("SET file_search_path = $folder", {"folder": str(folder.absolute())})
        found = connection.execute((folder / "verify.sql").read_text())
        names = [column[0] for column in found.description or ()]
        rows = [dict(zip(names, map(str, row), strict=True)) for row in found.fetchall()]
        [lines] = connection.execute("SELECT count(*) FROM verified.billed").fetchone() or (0,)
    return BundleChecked(str(folder), lines, changed, tuple(rows))


def _ensure_of(month: str, folder: Path) -> None:
    try:
        own = read_manifest(folder)["content"]["month"]
    except NotFound as error:
        make = f"make one in a folder of its own: `countinghouse bundle {month} --out FOLDER`"
        raise NotFound(f"{error}; {make}") from None
    if own != month:
        raise InvalidInput(f"{folder} is the bundle of {own}, not of {month}; name its month")
