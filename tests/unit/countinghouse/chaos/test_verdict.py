"""Every verdict can fail: one thing wrong is told, by name."""

from decimal import Decimal

from countinghouse.chaos import verdict
from countinghouse.chaos.child import Stop
from countinghouse.chaos.messages import Identity, Malformed, Usage, place
from countinghouse.chaos.report import verdict_line
from countinghouse.chaos.truth import CounterKey, Tally

KEY = CounterKey("acme", "calls", "billing_period", "2026-11-01T00:00:00Z")
OTHER = CounterKey("acme", "calls", "billing_period", "2026-10-01T00:00:00Z")
WHO = Identity("acme", "s", "1")
LOG = {0: (3, 100), 1: (3, 101)}
USAGE = Usage(WHO, "api.call", 0, {"calls": 1_000_000}, {"users": "7"})


def told(found: verdict.Verdict) -> str:
    assert not found.is_ok
    return "\n".join(found.differences)


def test_equal_counters_are_clean_however_they_are_written() -> None:
    tallies = {KEY: Tally(1_500_000)}
    assert verdict.counters("x", tallies, {KEY: "1.5"}).is_ok
    assert verdict.counters("x", tallies, {KEY: Decimal("1.500000")}).is_ok


def test_a_wrong_a_missing_and_a_surplus_counter_are_told() -> None:
    tallies = {KEY: Tally(1_500_000)}
    assert "wrong: acme/calls" in told(verdict.counters("x", tallies, {KEY: "1.500001"}))
    assert "missing: acme/calls" in told(verdict.counters("x", tallies, {}))
    assert "surplus: acme/calls" in told(verdict.counters("x", tallies, {KEY: "1.5", OTHER: "1"}))


def test_nothing_to_compare_is_not_clean() -> None:
    assert "nothing was there" in told(verdict.counters("x", {}, {}))


def test_a_message_that_the_log_lost_or_has_twice_is_told() -> None:
    assert verdict.log(2, LOG, [], []).is_ok
    assert "message 2 is not in the log" in told(verdict.log(3, LOG, [], []))
    assert "twice" in told(verdict.log(2, LOG, ["message 1 is in the log twice"], []))
    assert "timed out" in told(verdict.log(2, LOG, [], ["timed out"]))


def test_a_lost_and_a_strange_delivery_are_told() -> None:
    expected = {place(0, 0): WHO, place(1, 2): WHO}
    landed = {(3, 100, 0): WHO, (3, 101, 2): WHO}
    assert verdict.deliveries(expected, LOG, landed).is_ok
    assert "missing: (3, 101, 2)" in told(verdict.deliveries(expected, LOG, {(3, 100, 0): WHO}))
    strange = landed | {(3, 101, 3): WHO}
    assert "surplus: (3, 101, 3)" in told(verdict.deliveries(expected, LOG, strange))


def test_a_metered_event_twice_with_another_value_or_missing_is_told() -> None:
    calls, users = (WHO, "calls", Decimal(1), ""), (WHO, "users", Decimal(1), "7")
    assert verdict.metered({WHO: USAGE}, [calls, users]).is_ok
    assert "2 times" in told(verdict.metered({WHO: USAGE}, [calls, calls, users]))
    assert "missing" in told(verdict.metered({WHO: USAGE}, [calls]))
    wrong = (WHO, "calls", Decimal(2), "")
    assert "wrong" in told(verdict.metered({WHO: USAGE}, [wrong, users]))


def test_a_conflict_that_is_not_shown_or_shown_twice_is_told() -> None:
    assert verdict.conflicts([WHO], [WHO]).is_ok
    assert "missing" in told(verdict.conflicts([WHO], []))
    assert "2 times" in told(verdict.conflicts([WHO], [WHO, WHO]))


def test_a_letter_lost_twice_or_for_another_reason_is_told() -> None:
    expected = {place(1, 4): Malformed("invalid_time", b"{}")}
    letter = ((3, 101, 4), "invalid_time", b"{}")
    assert verdict.rejections("x", expected, LOG, [letter]).is_ok
    assert "missing" in told(verdict.rejections("x", expected, LOG, []))
    assert "2 times: (3, 101, 4)" in told(verdict.rejections("x", expected, LOG, [letter] * 2))
    other = ((3, 101, 4), "too_old", b"{}")
    assert "wrong" in told(verdict.rejections("x", expected, LOG, [other]))


def test_a_slow_stop_is_told() -> None:
    assert verdict.stops([Stop("landing-1", 9_999)]).is_ok
    assert verdict.stops([Stop("broker", 12_000)]).is_ok
    assert "landing-1 took 10,001 ms" in told(verdict.stops([Stop("landing-1", 10_001)]))


def test_where_nothing_was_compared_there_is_no_verdict() -> None:
    silent = verdict.Verdict("reconcile, under way", 0)
    assert (silent.is_asked, silent.is_ok) == (False, True)
    assert verdict_line(silent) == "--   reconcile, under way (not asked)"
    assert verdict_line(verdict.Verdict("x", 5)) == "ok   x (5 compared)"
    wrong = verdict.Verdict("x", 0, ("nothing was there to compare",))
    assert verdict_line(wrong) == "WRONG x (0 compared)"


def test_only_the_first_differences_are_shown() -> None:
    found = verdict.Verdict("x", 9, tuple(f"difference {n}" for n in range(9)))
    assert found.first_differences()[-1] == "and 4 more"
