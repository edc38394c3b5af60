"""The last dry run of each month, kept under the home folder to compare the next one with.

A file is replaced whole or not at all. It is a note for people: nothing is billed by it.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from countinghouse.whole_file import replacing
from pipelines.close.dry_run import DryRun
from schemas.errors import InvalidInput

_SCHEMA = pa.schema({"tenant": pa.string(), "currency": pa.string(), "total_minor": pa.int64()})
_ABOUT = b"countinghouse.dry_run"


@dataclass(frozen=True, slots=True)
class KeptRun:
    """Totals by (tenant, currency) of a dry run, when it was and by which price list."""

    made_at: str
    catalog_version: int
    totals: Mapping[tuple[str, str], int]


def keep(home: Path, run: DryRun, made_at: str) -> Path:
    """Keep a run as its month's last; the file, which is there whole or as it was before."""
    path = _path(home, run.month)
    path.parent.mkdir(parents=True, exist_ok=True)
    about = {"made_at": made_at, "catalog_version": run.catalog_version}
    rows = [(*key, minor) for key, minor in sorted(run.totals.items())]
    columns = list(zip(*rows, strict=True)) or [()] * len(_SCHEMA)
    arrays = [pa.array(each, it.type) for each, it in zip(columns, _SCHEMA, strict=True)]
    schema = _SCHEMA.with_metadata({_ABOUT: json.dumps(about).encode()})
    with replacing(path) as unfinished, unfinished.open("wb") as file:
        pq.write_table(pa.table(arrays, schema=schema), file)
        file.flush()
        os.fsync(file.fileno())
    return path


def kept(home: Path, month: str) -> KeptRun | None:
    """The month's last dry run, if there was one.

    Raises:
        InvalidInput: the file is not one of ours.
    """
    path = _path(home, month)
    if not path.exists():
        return None
    try:
        table = pq.read_table(path)
        about = json.loads(table.schema.metadata[_ABOUT])
        columns = [table[name].to_pylist() for name in _SCHEMA.names]
    except (pa.ArrowInvalid, KeyError, TypeError, ValueError) as error:
        raise InvalidInput(f"{path} is no dry run ({error}); remove it") from None
    totals = {(tenant, currency): minor for tenant, currency, minor in zip(*columns, strict=True)}
    return KeptRun(about["made_at"], about["catalog_version"], totals)


def _path(home: Path, month: str) -> Path:
    return home / "dry-runs" / f"{month}.parquet"
