"""The last dry run of a month: kept whole, compared with the next, told with its checks."""

import json
from pathlib import Path

import pytest

from countinghouse.cli import dry_run as told
from countinghouse.dry_runs import keep, kept
from pipelines.close.dry_run import Check, DryRun
from schemas.errors import InvalidInput
from schemas.vector import Vector

AT = "2026-11-01T01:00:00Z"
CHECKS = (Check("complete", "passed"), Check("figures agree", "held", ("bolt: 5 tokens more",)))


def a_run(totals: dict[tuple[str, str], int], checks: tuple[Check, ...] = CHECKS) -> DryRun:
    last_month = {("acme", "USD"): 4000}
    return DryRun("2026-10", 3, Vector({(1, 0): 5}), len(totals), totals, last_month, checks)


def test_what_is_kept_is_what_was_run(tmp_path: Path) -> None:
    assert kept(tmp_path, "2026-10") is None
    totals = {("acme", "USD"): 4999, ("bolt", "JPY"): -7}
    keep(tmp_path, a_run({("acme", "USD"): 1}), "earlier")
    path = keep(tmp_path, a_run(totals), AT)
    found = kept(tmp_path, "2026-10")
    assert found is not None
    assert (found.made_at, found.catalog_version, found.totals) == (AT, 3, totals)
    assert list(path.parent.iterdir()) == [path]


def test_a_month_without_invoices_is_kept_too(tmp_path: Path) -> None:
    keep(tmp_path, a_run({}), AT)
    found = kept(tmp_path, "2026-10")
    assert found is not None
    assert found.totals == {}


def test_a_file_that_is_no_dry_run_is_named(tmp_path: Path) -> None:
    path = keep(tmp_path, a_run({}), AT)
    path.write_bytes(b"nothing of ours")
    with pytest.raises(InvalidInput, match=r"2026-10.parquet is no dry run .*; remove it"):
        kept(tmp_path, "2026-10")


def test_a_run_is_compared_with_the_last_month_and_the_last_run(tmp_path: Path) -> None:
    keep(tmp_path, a_run({("acme", "USD"): 5000}), AT)
    before = kept(tmp_path, "2026-10")
    run = a_run({("acme", "USD"): 4999})
    plain = told.as_json(run, told.compared_with(run, before), before)
    assert json.loads(json.dumps(plain))["outcome"] == "held"
    changes = {name: it["totals"][0]["change"] for name, it in plain["compared"].items()}
    assert changes == {"last month": "9.99", "the last dry run": "-0.01"}
    assert plain["totals"] == {"USD": "49.99"}


def test_a_person_reads_totals_checks_and_movers(capsys: pytest.CaptureFixture[str]) -> None:
    run = a_run({("acme", "USD"): 4999})
    told.tell(run, told.compared_with(run, None), None)
    text = capsys.readouterr().out
    assert "2026-10, nothing written: 1 invoices, USD 49.99" in text
    assert "  held: figures agree\n    bolt: 5 tokens more" in text
    assert "acme,USD,40.00,49.99,9.99,25.0%" in text


def test_what_was_found_is_told_instead_of_what_should_be(
    capsys: pytest.CaptureFixture[str],
) -> None:
    found = Check("all usage is priced", "explained", ("bolt: 5",), "usage without a plan: 1")
    run = a_run({}, (found,))
    told.tell(run, told.compared_with(run, None), None)
    text = capsys.readouterr().out
    assert "  explained: usage without a plan: 1\n    bolt: 5" in text
    assert "all usage is priced" not in text


@pytest.mark.parametrize(
    ("outcome", "code"), [("passed", 0), ("explained", 0), ("held", 3), ("failed", 1)]
)
def test_the_worst_check_is_the_exit_code(outcome: str, code: int) -> None:
    assert told.EXIT_CODES[outcome] == code
