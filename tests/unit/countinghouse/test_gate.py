"""What a gate decides from rows of `quota.state`, by hand-made rows and a clock of the test's."""

import ast
from importlib.metadata import packages_distributions
from pathlib import Path

import msgspec
import pytest

from countinghouse.objections import LATE_CLOCK_MS, Objections
from schemas.period import parse_instant
from schemas.quota import Decision, QuotaState, Window, WindowKind, state_key
from tests.test_architecture import PACKAGES, ROOT

NOON = parse_instant("2026-10-15T12:00:00Z")
OCTOBER = ("2026-10-01T00:00:00Z", "2026-11-01T00:00:00Z")
HOUR = ("2026-10-15T12:00:00Z", "2026-10-15T13:00:00Z")
DAY = ("2026-10-15T00:00:00Z", "2026-10-16T00:00:00Z")


def a_row(
    decision: Decision,
    kind: str = "billing_period",
    span: tuple[str, str] = OCTOBER,
    deny_from: str | None = None,
    tenant: str = "acme",
) -> tuple[bytes, bytes]:
    start, end = span
    window = Window(kind, start, end)  # type: ignore[arg-type]
    state = QuotaState(
        tenant=tenant,
        meter="tokens",
        window=window,
        used="1",
        limit="1",
        decision=decision,
        resets_at=end,
        announced=(),
        epoch=1,
        position=1,
        entitlement_version=1,
        deny_from=deny_from,
    )
    key_kind: WindowKind = window.kind
    return state_key(tenant, "tokens", key_kind, start), msgspec.json.encode(state)


def a_table(*rows: tuple[bytes, bytes | None], now_ms: int = NOON) -> Objections:
    table = Objections()
    for key, value in rows:
        table.apply(key, value, now_ms)
    return table


@pytest.mark.parametrize(
    ("rows", "at", "decision"),
    [
        ([], "2026-10-15T12:30:00Z", "allow"),
        ([a_row("allow")], "2026-10-15T12:30:00Z", "allow"),
        ([a_row("warn")], "2026-10-15T12:30:00Z", "warn"),
        ([a_row("deny")], "2026-10-15T12:30:00Z", "deny"),
        # the strictest of the windows that run
        ([a_row("warn"), a_row("deny", "hour", HOUR)], "2026-10-15T12:30:00Z", "deny"),
        ([a_row("deny"), a_row("warn", "hour", HOUR)], "2026-10-15T12:30:00Z", "deny"),
        ([a_row("allow"), a_row("warn", "day", DAY)], "2026-10-15T12:30:00Z", "warn"),
        # a window's end ends its denial, its start begins it
        ([a_row("deny", "hour", HOUR)], "2026-10-15T12:59:59.999Z", "deny"),
        ([a_row("deny", "hour", HOUR)], "2026-10-15T13:00:00Z", "allow"),
        ([a_row("deny", "hour", HOUR)], "2026-10-15T11:59:59.999Z", "allow"),
        ([a_row("warn"), a_row("deny", "hour", HOUR)], "2026-10-15T13:00:00Z", "warn"),
        # a grace in time: a warning until it is over
        ([a_row("deny", deny_from="2026-10-15T18:00:00Z")], "2026-10-15T17:59:59Z", "warn"),
        ([a_row("deny", deny_from="2026-10-15T18:00:00Z")], "2026-10-15T18:00:00Z", "deny"),
        ([a_row("deny", deny_from="2026-11-02T00:00:00Z")], "2026-11-02T00:00:00Z", "allow"),
        # a later row replaces an earlier one of its window alone
        ([a_row("deny"), a_row("allow")], "2026-10-15T12:30:00Z", "allow"),
        ([a_row("deny"), a_row("allow", "hour", HOUR)], "2026-10-15T12:30:00Z", "deny"),
        ([a_row("deny"), (a_row("deny")[0], None)], "2026-10-15T12:30:00Z", "allow"),
        ([(a_row("deny")[0], None)], "2026-10-15T12:30:00Z", "allow"),
        ([a_row("deny", tenant="other")], "2026-10-15T12:30:00Z", "allow"),
    ],
)
def test_what_is_decided(
    rows: list[tuple[bytes, bytes | None]], at: str, decision: Decision
) -> None:
    assert a_table(*rows).decide("acme", "tokens", parse_instant(at)) == decision


def test_another_meter_is_another_matter() -> None:
    assert a_table(a_row("deny")).decide("acme", "images", NOON) == "allow"


def test_only_what_speaks_against_a_tenant_is_kept() -> None:
    table = a_table(*(a_row("allow", tenant=f"tenant-{n}") for n in range(100)), a_row("deny"))
    assert len(table) == 1


def test_windows_that_ended_are_forgotten_when_their_tenant_is_told_of() -> None:
    ended = parse_instant(HOUR[1]) + LATE_CLOCK_MS
    rows = [a_row("deny", "hour", HOUR), a_row("warn", "day", DAY)]
    table = a_table(*rows[:1])
    table.apply(*rows[1], ended)
    assert table.decide("acme", "tokens", parse_instant(HOUR[0])) == "warn"


def test_without_a_clock_of_the_callers_this_machines_is_asked() -> None:
    always = ("2000-01-01T00:00:00Z", "2199-01-01T00:00:00Z")
    assert a_table(a_row("deny", span=always)).decide("acme", "tokens") == "deny"
    assert a_table(a_row("deny", span=OCTOBER[:1] * 2)).decide("acme", "tokens") == "allow"


@pytest.mark.parametrize("value", [b"{}", b"[", b'{"tenant": 7}'])
def test_what_is_no_row_is_an_error_and_changes_nothing(value: bytes) -> None:
    table = a_table(a_row("deny"))
    with pytest.raises((msgspec.DecodeError, ValueError)):
        table.apply(a_row("deny")[0], value, NOON)
    assert table.decide("acme", "tokens", NOON) == "deny"


@pytest.mark.parametrize("name", ["gate", "objections"])
def test_the_gate_needs_schemas_and_kafka_only(name: str) -> None:
    tree = ast.parse((ROOT / f"countinghouse/{name}.py").read_text())
    nodes = [n for n in ast.walk(tree) if isinstance(n, ast.Import | ast.ImportFrom)]
    names = {
        (n.module or "") if isinstance(n, ast.ImportFrom) else n.names[0].name for n in nodes
    } - {"countinghouse.objections"}
    roots = {name.split(".")[0] for name in names}
    assert not roots & ({*PACKAGES, "countinghouse"} - {"schemas"})
    assert roots & set(packages_distributions()) <= {"schemas", "confluent_kafka", "msgspec"}


def test_the_example_uses_public_names_only() -> None:
    assert "from countinghouse.gate import Gate\n" in (ROOT / Path("examples/gate.py")).read_text()
