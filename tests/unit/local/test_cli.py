"""The command line's frame: which commands there are, and what an error looks like."""

import subprocess
import sys
import time

import pytest

from countinghouse.cli import app
from countinghouse.cli.app import COMMANDS, HIDDEN, main
from schemas.errors import DependencyUnreachable, NotFound


def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "countinghouse", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.fixture(autouse=True)
def _imports(monkeypatch: pytest.MonkeyPatch) -> None:
    """What `main` changes about them is its process's, and not that of other tests."""
    monkeypatch.setattr(sys, "meta_path", [*sys.meta_path])


@pytest.mark.parametrize("name", [name for name in COMMANDS if app._exists(name)])
def test_every_command_loads(name: str) -> None:
    assert app._load(name).name == name


def test_help_is_quick_and_lists_what_exists() -> None:
    started = time.perf_counter()
    done = run("--help")
    assert time.perf_counter() - started < 3  # half a second on a quiet machine
    assert done.returncode == 0
    shown = [name for name in COMMANDS if f" {name} " in done.stdout]
    assert shown == [name for name in COMMANDS if app._exists(name) and name not in HIDDEN]


def test_help_loads_no_library_of_the_workers() -> None:
    code = (
        "import sys; from countinghouse.cli import app; "
        "print(sorted({'confluent_kafka', 'pyarrow', 'dagster', 'psutil'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_a_command_loads_no_pandas() -> None:
    code = """
import contextlib, sys
import duckdb, pyarrow as pa
from countinghouse.cli.app import main

sys.argv = ["countinghouse", "--version"]
with contextlib.suppress(SystemExit):
    main()
with duckdb.connect() as database:
    database.register("usage", pa.table({"micro": [1, None, 2]}))
    asked = {"least": 1}
    found = database.sql("SELECT sum(micro) FROM usage WHERE micro > $least", params=asked)
    print(found.to_arrow_table().to_pylist(), "pandas" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[{'sum(micro)': Decimal('2')}] False"


@pytest.mark.parametrize(
    ("error", "code"), [(NotFound("no such month"), 4), (DependencyUnreachable("no broker"), 5)]
)
def test_an_expected_error_is_one_line_and_a_code(
    error: Exception, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def failing(_: str) -> None:
        raise error

    monkeypatch.setattr(sys, "argv", ["countinghouse", "status"])
    monkeypatch.setattr(app, "_load", failing)
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == code
    assert capsys.readouterr().err == f"countinghouse: {error}\n"


def test_a_wrong_setting_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["countinghouse", "status"])
    monkeypatch.setenv("COUNTINGHOUSE_API_PORT", "eighty")
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 2
    assert "COUNTINGHOUSE_API_PORT" in capsys.readouterr().err


def test_an_unknown_command_is_wrong_usage() -> None:
    done = run("nosuch")
    assert done.returncode == 2
    assert "No such command" in done.stderr
