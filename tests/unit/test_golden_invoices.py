"""Whole invoices as text, compared exactly; tests/golden/README.md says how to write them anew."""

import os
from pathlib import Path
from typing import Any

import pytest

from pipelines.catalog.marked_yaml import read_yaml
from tests.billing import explained
from tests.cases import bill_of

FOLDER = Path(__file__).parents[1] / "golden"
CASES = sorted(FOLDER.glob("*.yaml"))


def invoice(case: Path) -> str:
    """The case's invoice, billed by both engines, with its arithmetic."""
    given: Any = read_yaml(case.read_text(), case.name).tree
    bill = bill_of(given)
    return explained(bill, bill.lines())


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.stem)
def test_an_invoice_is_as_it_was(case: Path) -> None:
    golden = case.with_suffix(".txt")
    text = invoice(case)
    if os.environ.get("WRITE_GOLDEN"):
        golden.write_text(text)
    assert text == golden.read_text()


def test_every_golden_file_has_its_case_and_agrees_with_its_price_list() -> None:
    texts = sorted(FOLDER.glob("*.txt"))
    assert [text.stem for text in texts] == [case.stem for case in CASES]
    assert len(CASES) >= 12
    assert all(text.read_text().endswith("every line agrees.\n") for text in texts)
