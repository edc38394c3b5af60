"""A bundle's files: their bytes are those of their rows, however these came."""

from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from threading import Event

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from schemas.bundle import WrittenFile
from schemas.errors import InvalidInput
from stores import bundles

ROWS = pa.table({"tenant": [f"t{number % 7}" for number in range(100)], "minor": range(100)})


@pytest.fixture(autouse=True)
def _small_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bundles, "_ROW_GROUP", 30)


@pytest.mark.parametrize("cuts", [[], [1], [30], [29, 31, 60], [90, 100], range(1, 100)])
def test_where_parts_are_cut_makes_no_difference(cuts: list[int], tmp_path: Path) -> None:
    bundles.write_parquet(tmp_path / "whole.parquet", [ROWS])
    bounds = [0, *cuts, ROWS.num_rows]
    parts = [{"rows": ROWS.slice(start, end - start)} for start, end in pairwise(bounds)]
    told: dict[str, WrittenFile] = {}
    bundles.write_bundle(tmp_path / "it", parts, {}, lambda written: told.update(written) or b"{}")
    assert (tmp_path / "it" / "rows.parquet").read_bytes() == (
        tmp_path / "whole.parquet"
    ).read_bytes()
    assert told["rows.parquet"].rows == ROWS.num_rows


def test_a_table_without_rows_is_a_file_with_its_columns(tmp_path: Path) -> None:
    bundles.write_bundle(tmp_path / "it", [{"rows": ROWS.slice(0, 0)}], {}, lambda _: b"{}")
    found = pq.read_table(tmp_path / "it" / "rows.parquet")
    assert (found.num_rows, found.schema) == (0, ROWS.schema)


def test_a_part_that_fails_leaves_the_bundle_that_was_there(tmp_path: Path) -> None:
    bundles.write_bundle(tmp_path / "it", [{"rows": ROWS}], {}, lambda _: b"{}")
    before = (tmp_path / "it" / "rows.parquet").read_bytes()

    def broken() -> bundles.Parts:
        yield {"rows": ROWS.slice(0, 1)}
        raise OSError("the disk is full")

    with pytest.raises(InvalidInput, match="the disk is full"):
        bundles.write_bundle(tmp_path / "it", broken(), {}, lambda _: b"{}")
    assert (tmp_path / "it" / "rows.parquet").read_bytes() == before


def test_of_two_at_once_one_waits_for_the_other(tmp_path: Path) -> None:
    began, told = Event(), list[str]()

    def second() -> bundles.Parts:
        began.set()
        told.append("second")
        yield {"rows": ROWS.slice(0, 50)}

    with ThreadPoolExecutor(1) as beside:

        def first() -> bundles.Parts:
            beside.submit(bundles.write_bundle, tmp_path / "it", second(), {}, lambda _: b"{}")
            yield {"rows": ROWS}
            assert not began.wait(0.5)
            told.append("first")

        bundles.write_bundle(tmp_path / "it", first(), {}, lambda _: b"{}")
    assert told == ["first", "second"]
    assert pq.read_table(tmp_path / "it" / "rows.parquet").num_rows == 50
