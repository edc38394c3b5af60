"""What cannot be written is told in one line that names the file, and leaves nothing behind."""

from pathlib import Path

import pytest

from countinghouse.whole_file import writing
from schemas.errors import InvalidInput, NotFound
from stores.bundles import read_manifest, write_bundle


def test_a_file_takes_its_place_whole(tmp_path: Path) -> None:
    with writing(tmp_path / "a.csv") as unfinished:
        unfinished.write_text("rows")
    assert [(it.name, it.read_text()) for it in tmp_path.iterdir()] == [("a.csv", "rows")]


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("none/x.csv", "none/x.csv cannot be written: No such file or directory"),
        ("file/x.csv", "file/x.csv cannot be written: Not a directory"),
        ("folder", "folder cannot be written: Is a directory"),
        (".", "is a folder; name a file in it"),
    ],
)
def test_what_cannot_be_written_is_named(
    name: str, why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("file").touch()
    Path("folder").mkdir()
    with pytest.raises(InvalidInput, match=why), writing(Path(name)) as unfinished:
        unfinished.write_text("rows")
    assert sorted(it.name for it in tmp_path.iterdir()) == ["file", "folder"]


@pytest.mark.parametrize(("name", "why"), [("file", "is a file; name a folder"), ("file/in", "in")])
def test_a_bundle_is_not_written_over_or_below_a_file(name: str, why: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(InvalidInput, match=why):
        write_bundle(tmp_path / name, [], {}, lambda _: b"")
    assert (tmp_path / "file").read_text() == "mine"


def test_a_file_is_no_bundle_to_read(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(NotFound, match="file is no bundle"):
        read_manifest(tmp_path / "file")
