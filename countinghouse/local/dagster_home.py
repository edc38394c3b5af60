"""Dagster's home folder: its settings, and its storage, which one process makes before any other.

Dagster makes its SQLite files when it opens them for the first time. Two processes that do it at
once leave files that none can open again ("more than one head is present").
"""

import fcntl
import os
from pathlib import Path

from countinghouse.local.environment import ROOT

SETTINGS = ROOT / "dagster_project" / "home" / "dagster.yaml"
_MADE = "storage.made"


def ready_home(home: Path) -> Path:
    """Dagster's folder in a home folder, with today's settings and its storage there.

    It may be called by any number of processes at once, and be killed in between.
    """
    folder = home.absolute() / "dagster"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        _put_settings(folder)
        if not (folder / _MADE).exists():
            _make_storage(folder)
    return folder


def _put_settings(folder: Path) -> None:
    """Whole or not at all: another process may be reading the file."""
    new = folder / "dagster.yaml.new"
    new.write_bytes(SETTINGS.read_bytes())
    new.replace(folder / "dagster.yaml")


def _make_storage(folder: Path) -> None:
    import dagster as dg

    with dg.DagsterInstance.from_config(str(folder)):
        (folder / _MADE).write_text(f"{dg.__version__}, process {os.getpid()}\n")
