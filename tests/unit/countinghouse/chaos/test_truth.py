"""The recount, by hand: small messages whose outcome can be read off."""

from countinghouse.chaos.messages import Identity, Malformed, Sent, Usage, place
from countinghouse.chaos.prices import ALERTS, API_CALL, EXCEEDED, LLM_REQUEST, MICRO, SEATS
from countinghouse.chaos.truth import Announcement, CounterKey, Fact, Truth, fact_id, quantity
from countinghouse.chaos.windows import instant_ms, window_end_ms, window_start

NOON = instant_ms("2026-11-25T12:00:00Z")
HOUR_MS = 3_600_000


def a_call(number: int, gigabytes: int = 1, *, tenant: str = "acme", time_ms: int = NOON) -> Usage:
    values = {"calls": MICRO, "gigabytes": gigabytes * MICRO}
    return Usage(Identity(tenant, "s", str(number)), API_CALL, time_ms, values, {})


def seats(number: int, count: int, time_ms: int) -> Usage:
    return Usage(Identity("acme", "s", f"seats-{number}"), SEATS, time_ms, {"seats": count}, {})


def a_truth(*usages: Usage | Malformed, changing: frozenset[str] = frozenset()) -> Truth:
    """Each element in a message of its own."""
    truth = Truth({}, changing)
    for number, usage in enumerate(usages):
        truth.sent(Sent(number, 0, (usage,)))
    return truth


def value(truth: Truth, meter: str, kind: str = "billing_period") -> int:
    (found,) = [
        t.value for key, t in truth.tallies.items() if (key.meter, key.kind) == (meter, kind)
    ]
    return found


def test_a_repeat_is_delivered_and_not_counted() -> None:
    truth = a_truth(a_call(1), a_call(1), a_call(2))
    assert value(truth, "calls") == 2 * MICRO
    assert (len(truth.deliveries), len(truth.events), truth.repeats) == (3, 2, 1)
    assert not truth.conflicts


def test_of_a_conflict_the_first_content_counts() -> None:
    truth = a_truth(a_call(1, gigabytes=5), a_call(1, gigabytes=9))
    assert value(truth, "gigabytes") == 5 * MICRO
    assert truth.conflicts == {Identity("acme", "s", "1")}


def test_an_id_belongs_to_its_tenant_and_source() -> None:
    other_source = Usage(Identity("acme", "t", "1"), API_CALL, NOON, {"calls": MICRO}, {})
    truth = a_truth(a_call(1), a_call(1, tenant="other"), other_source)
    assert len(truth.events) == 3


def test_malformed_elements_are_kept_by_their_place() -> None:
    wrong = Malformed("invalid_time", b"...")
    truth = Truth({}, frozenset())
    truth.sent(Sent(7, 0, (a_call(1), wrong, a_call(2))))
    assert truth.rejected == {place(7, 1): wrong}
    assert value(truth, "calls") == 2 * MICRO


def test_events_go_to_the_windows_of_their_own_time() -> None:
    truth = a_truth(a_call(1), a_call(2, time_ms=NOON - 24 * HOUR_MS))
    days = {
        key.start: t.value
        for key, t in truth.tallies.items()
        if (key.meter, key.kind) == ("calls", "day")
    }
    assert days == {"2026-11-25T00:00:00Z": MICRO, "2026-11-24T00:00:00Z": MICRO}
    assert value(truth, "calls") == 2 * MICRO


def test_latest_is_the_value_of_the_latest_time_and_of_two_the_later_sent() -> None:
    truth = a_truth(seats(1, 10, NOON), seats(2, 20, NOON - 1), seats(3, 30, NOON))
    assert value(truth, "seats") == 30


def test_the_largest_may_be_below_nothing() -> None:
    numbers = (-5, -3, -9)
    usages = [
        Usage(Identity("acme", "s", str(n)), LLM_REQUEST, NOON, {"largest": n}, {}) for n in numbers
    ]
    assert value(a_truth(*usages), "largest") == -3


def test_users_are_told_apart_and_counted_up_to_a_bound() -> None:
    usages = [
        Usage(Identity("acme", "s", str(n)), LLM_REQUEST, NOON, {}, {"users": str(n % 1_500)})
        for n in range(3_000)
    ]
    assert value(a_truth(*usages[:700], *usages[:700]), "users") == 700 * MICRO
    assert value(a_truth(*usages), "users") == 1_000 * MICRO


def test_a_step_is_announced_by_the_event_that_reaches_it_once() -> None:
    truth = a_truth(*(a_call(number) for number in range(4)))
    key = CounterKey("acme", "calls", "billing_period", "2026-11-01T00:00:00Z")
    fact = Fact(ALERTS, fact_id(key, "1.5", 1))  # 1 % of 150 calls
    assert truth.announced[fact] == Announcement(key, 1, "1.5", "2", ("s", "1"))
    month = [each.percent for each in truth.announced.values() if each.key == key]
    assert month == [1, 2]  # 2 % are 3 calls


def test_what_is_taken_back_and_reached_again_is_not_announced_again() -> None:
    up_and_down = [a_call(n, gigabytes) for n, gigabytes in enumerate((25, -25, 25))]
    truth = a_truth(*up_and_down)
    exceeded = [each for fact, each in truth.announced.items() if fact.topic == EXCEEDED]
    assert [(each.percent, each.used) for each in exceeded] == [(100, "25")]


def test_where_plans_change_the_running_value_is_kept_instead() -> None:
    truth = a_truth(a_call(1), a_call(2), changing=frozenset({"acme"}))
    assert not truth.announced
    (history,) = [
        tally.history
        for key, tally in truth.tallies.items()
        if (key.meter, key.kind) == ("calls", "day")
    ]
    assert history == {("s", "1"): MICRO, ("s", "2"): 2 * MICRO}


def test_quantities_are_written_without_trailing_zeros() -> None:
    micros = (0, 1, 1_500_000, -25_000_000, 10**13)
    assert [quantity(micro) for micro in micros] == ["0", "0.000001", "1.5", "-25", "10000000"]


def test_windows_are_half_open_in_utc_and_weeks_begin_on_monday() -> None:
    sunday_night = instant_ms("2026-11-29T23:59:59.999Z")
    assert window_start("week", sunday_night) == "2026-11-23T00:00:00Z"
    assert window_start("week", sunday_night + 1) == "2026-11-30T00:00:00Z"
    assert window_start("hour", sunday_night) == "2026-11-29T23:00:00Z"
    assert window_end_ms("billing_period", "2026-11-01T00:00:00Z") == instant_ms(
        "2026-12-01T00:00:00Z"
    )
    assert window_end_ms("week", "2026-11-23T00:00:00Z") == sunday_night + 1
