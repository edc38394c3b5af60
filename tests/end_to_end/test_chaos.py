"""Two short runs of `countinghouse chaos`: real processes, real faults, everything recounted."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.embedded import ROOT

pytestmark = pytest.mark.end_to_end

MINUTES = "0.5"


@pytest.mark.timeout(280)
@pytest.mark.parametrize("seed", [1, 5])
def test_counting_and_landing_are_exact_under_faults(seed: int, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "countinghouse", "chaos", f"--seed={seed}", "--json",
         f"--minutes={MINUTES}", "--workers=2", "--landers=2", "--rate=250"],
        cwd=ROOT,
        env={**os.environ, "COUNTINGHOUSE_HOME": str(tmp_path), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=270,
        check=False,
    )  # fmt: skip
    assert done.stdout, done.stderr
    report = json.loads(done.stdout)
    wrong = [verdict for verdict in report["verdicts"] if verdict["ok"] is False]
    assert not wrong, json.dumps(wrong, indent=1) + done.stderr
    assert done.returncode == 0
    kinds = set(report["fault_counts"])
    assert {"freeze counters"} < kinds
    assert any(kind.endswith("broker") for kind in kinds)
    assert any(kind.endswith("front") for kind in kinds)
    assert report["figures"]["alerts"] > 100
