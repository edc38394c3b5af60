"""What an operator sees of a step in Dagster: money as text and minor units, tables of 20 rows.

Dagster refuses `Decimal`, and shows floats as they are; neither is used.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg

from pipelines.close.closing import StepReport
from schemas.money import format_minor

MOST_ROWS = 20
LISTED_BY = "listed by"
"""The entry of a check that names the command which lists all of its findings."""

Row = dict[str, str | int]


def of_step(report: StepReport) -> dict[str, Any]:
    """A step's counts and totals; a closed month says that nothing was written."""
    if not report.written:
        return {"period": report.month, "written": "nothing: the month is closed"}
    return {"period": report.month, **report.counts, **totals(report.totals_minor)}


def totals(totals_minor: Mapping[str, int]) -> dict[str, Any]:
    """`total_usd` as text to read, `total_usd_minor` as a number to plot."""
    shown: dict[str, Any] = {}
    for currency, amount_minor in totals_minor.items():
        name = f"total_{currency.lower()}"
        shown[name] = format_minor(amount_minor, currency)
        shown[f"{name}_minor"] = amount_minor
    return shown


def table(rows: Sequence[Row]) -> Any:
    """At most twenty rows as a table, or a word where there are none."""
    if not rows:
        return dg.MetadataValue.text("none")
    return dg.MetadataValue.table([dg.TableRecord(dict(row)) for row in rows[:MOST_ROWS]])


def verdict(
    findings: Sequence[str],
    passed: str,
    severity: dg.AssetCheckSeverity = dg.AssetCheckSeverity.ERROR,
    metadata: Mapping[str, Any] | None = None,
) -> dg.AssetCheckResult:
    """A check's result: no finding is a pass, said in the words of `passed`."""
    shown = {"findings": len(findings), **(metadata or {})}
    if findings:
        shown["first findings"] = table([{"finding": finding} for finding in findings])
    more = f" (and {len(findings) - 1} more)" if len(findings) > 1 else ""
    return dg.AssetCheckResult(
        passed=not findings,
        severity=severity,
        description=f"{findings[0]}{more}" if findings else passed,
        metadata=shown,
    )
