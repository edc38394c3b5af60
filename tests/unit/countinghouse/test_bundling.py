"""A bundle checked by its own script, and what else that must not do."""

import subprocess
import sys
from pathlib import Path

SCRIPT = """CREATE SCHEMA verified;
CREATE TABLE verified.billed AS SELECT 1 AS n;
SELECT current_setting('enable_progress_bar') AS is_drawn"""
CHECK = """import duckdb
from pathlib import Path
from countinghouse.bundling import check_bundle
print(duckdb.connect().sql("SELECT current_setting('enable_progress_bar')").fetchall())
print(check_bundle(Path({folder!r}), "2026-10").differences)
"""


def test_its_script_draws_no_bar_on_stdout_where_duckdb_would(tmp_path: Path) -> None:
    (tmp_path / "verify.sql").write_text(SCRIPT)
    (tmp_path / "manifest.json").write_text('{"content": {"month": "2026-10", "files": {}}}')
    code = CHECK.format(folder=str(tmp_path))
    told = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert told.stdout.splitlines() == ["[(True,)]", "({'is_drawn': 'False'},)"]
