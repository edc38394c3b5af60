"""Dagster's fresh storage, opened by many processes at once, and by one that was killed before."""

import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest

from countinghouse.local.dagster_home import SETTINGS, ready_home

pytestmark = pytest.mark.integration  # processes that load Dagster

OPENS = """
import sys, pathlib, dagster as dg
from countinghouse.local.dagster_home import ready_home
print("go", flush=True)
sys.stdin.readline()
with dg.DagsterInstance.from_config(str(ready_home(pathlib.Path(sys.argv[1])))) as instance:
    assert instance.get_runs() == []
"""


def test_processes_that_begin_at_once_find_one_storage(tmp_path: Path) -> None:
    command = [sys.executable, "-c", OPENS, str(tmp_path)]
    pipe = subprocess.PIPE
    starting = [subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) for _ in range(3)]
    for process in starting:
        assert process.stdout is not None
        assert process.stdout.readline() == "go\n"
    for process in starting:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    for process in starting:
        process.communicate()
    assert [process.returncode for process in starting] == [0, 0, 0]


def test_settings_are_today_s_and_the_storage_is_made_once(tmp_path: Path) -> None:
    folder = ready_home(tmp_path)
    made = (folder / "storage.made").read_text()
    (folder / "dagster.yaml").write_text("telemetry: {enabled: true}")
    assert ready_home(tmp_path) == folder
    assert (folder / "dagster.yaml").read_text() == SETTINGS.read_text()
    assert (folder / "storage.made").read_text() == made
    with dg.DagsterInstance.from_config(str(folder)) as instance:
        assert not instance.telemetry_enabled
