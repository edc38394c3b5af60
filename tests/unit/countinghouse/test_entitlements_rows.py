"""What `entitlements show` says of a timeline: every limit in it."""

from countinghouse.cli.entitlements import COLUMNS, _rows
from schemas.entitlement import (
    EntitlementEntry,
    MeterEntitlement,
    QuotaEntitlement,
    Threshold,
)

FROM = "2026-11-01T00:00:00Z"


def told(*meters: MeterEntitlement) -> list[dict[str, str]]:
    named = {f"m{n}": meter for n, meter in enumerate(meters)}
    rows = _rows(EntitlementEntry(FROM, "pro", named, ("chat",)))
    return [dict(zip(COLUMNS, row, strict=True)) for row in rows]


def test_each_window_with_limits_has_a_row() -> None:
    a_day = QuotaEntitlement("30", hard=Threshold(100, "30"))
    period, day = told(MeterEntitlement(None, windows={"day": a_day}))
    assert (period["window"], period["included"], period["hard_limit"]) == (
        *("billing_period", "unlimited", "none"),
    )
    assert (day["window"], day["included"], day["hard_limit"]) == ("day", "30", "100% = 30")


def test_soft_limits_and_graces_are_told() -> None:
    soft, hard = Threshold(90, "90"), Threshold(100, "100")
    by_quantity, by_time = told(
        MeterEntitlement("100", soft=soft, hard=hard, deny_at="110"),
        MeterEntitlement("100", hard=hard, deny_after_s=3600),
    )
    assert by_quantity["soft_limit"] == "90% = 90"
    assert by_quantity["hard_limit"] == "100% = 100, denied from 110"
    assert by_time["hard_limit"] == "100% = 100, denied after 3600 s"


def test_an_entry_that_limits_nothing_is_told() -> None:
    [nothing] = told()
    assert (nothing["from"], nothing["plan"], nothing["features"]) == (FROM, "pro", "chat")
