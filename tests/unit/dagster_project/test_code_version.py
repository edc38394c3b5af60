"""A stored closing says which code made it: another release or source is another version."""

import re
import shutil
from importlib.metadata import version
from pathlib import Path

import pytest

import pipelines
from dagster_project import usage
from dagster_project.code_version import CODE_VERSION, sources_digest
from tests.unit.dagster_project.months import CLOSE, MONTH, a_month

OWN = Path(pipelines.__file__).parent


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    return Path(shutil.copytree(OWN, tmp_path / "pipelines"))


def test_it_names_the_release_and_the_sources() -> None:
    assert re.fullmatch(re.escape(version("countinghouse")) + r"\+[0-9a-f]{12}", CODE_VERSION)


def test_the_same_sources_elsewhere_are_the_same_code(copied: Path) -> None:
    (copied / "rating" / "notes.txt").write_text("no source")
    assert sources_digest([copied]) == sources_digest([OWN])


@pytest.mark.parametrize("name", ["rating/rating.py", "sql/charges.sql"])
def test_another_source_is_another_code(copied: Path, name: str) -> None:
    source = copied / name
    source.write_text(source.read_text() + "\n")
    assert sources_digest([copied]) != sources_digest([OWN])


def test_a_renamed_source_is_another_code(copied: Path) -> None:
    (copied / "rating" / "rating.py").rename(copied / "rating" / "ratings.py")
    assert sources_digest([copied]) != sources_digest([OWN])


def test_a_closing_is_stored_with_it_and_with_that_of_the_code_which_made_it_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COUNTINGHOUSE_HOME", str(tmp_path))
    month = a_month(tmp_path)
    monkeypatch.setattr(usage, "CODE_VERSION", "0.0.9+before")
    assert month.run("monthly_usage").success
    monkeypatch.undo()
    monkeypatch.setenv("COUNTINGHOUSE_HOME", str(tmp_path))
    assert month.run(*CLOSE, "finalized_invoices").success
    closing = month.ledger.closing(MONTH)
    assert closing is not None
    assert closing.code_version == CODE_VERSION
    documents = [it.document for it in month.ledger.invoices(MONTH)]
    assert documents
    assert not [it for it in documents if CODE_VERSION.encode() in it]
