"""The verdicts: truth on one side, topics and tables on the other; each names what differs.

Pure functions, so that each can be shown to fail.
"""

from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from countinghouse.chaos.child import Stop
from countinghouse.chaos.messages import ITEMS, Identity, Malformed, Usage
from countinghouse.chaos.schedule import BROKER, STOP_MS
from countinghouse.chaos.truth import CounterKey, Tally
from countinghouse.chaos.warehouse import Place

SHOWN = 5


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was compared, how many of it, and what differs."""

    name: str
    compared: int
    differences: tuple[str, ...] = ()

    @property
    def is_asked(self) -> bool:
        """Something was compared, or should have been; else it says nothing, in favour either."""
        return bool(self.compared or self.differences)

    @property
    def is_ok(self) -> bool:
        """Nothing that was compared differs."""
        return not self.differences

    def first_differences(self) -> list[str]:
        """The first few, and how many more there are."""
        more = len(self.differences) - SHOWN
        shown = list(self.differences[:SHOWN])
        return [*shown, f"and {more:,} more"] if more > 0 else shown


def compare(name: str, expected: Mapping[Any, Any], found: Mapping[Any, Any]) -> Verdict:
    """Two mappings must be equal; nothing at all to compare is a difference, too."""
    missing = [f"missing: {_shown(k)} = {_shown(v)}" for k, v in expected.items() if k not in found]
    surplus = [f"surplus: {_shown(k)} = {_shown(v)}" for k, v in found.items() if k not in expected]
    wrong = [
        f"wrong: {_shown(key)} is {_shown(found[key])}, should be {_shown(value)}"
        for key, value in expected.items()
        if key in found and found[key] != value
    ]
    nothing = [] if expected or found else ["nothing was there to compare"]
    return Verdict(name, len(expected), (*wrong, *missing, *surplus, *nothing))


def repeated(what: Iterable[Hashable]) -> tuple[str, ...]:
    """What is there more than once."""
    return tuple(f"{n} times: {_shown(each)}" for each, n in Counter(what).items() if n > 1)


def counters(
    name: str, tallies: Mapping[CounterKey, Tally], found: Mapping[CounterKey, Any]
) -> Verdict:
    """Every counter as a quantity, whether found as decimal text or as a decimal."""
    expected = {key: Decimal(tally.value).scaleb(-6) for key, tally in tallies.items()}
    return compare(name, expected, {key: Decimal(used) for key, used in found.items()})


def log(
    messages: int, places: Mapping[int, Any], twice: Sequence[str], failures: Sequence[str]
) -> Verdict:
    """The log holds every message once: were it not so, the run would prove nothing."""
    lost = [f"message {n} is not in the log" for n in range(messages) if n not in places]
    return Verdict("log = what was sent", messages, (*failures, *twice, *lost))


def deliveries(
    expected: Mapping[int, Identity],
    log_places: Mapping[int, tuple[int, int]],
    found: Mapping[Place, Identity],
) -> Verdict:
    """`usage_events`: every admitted element at its place, repeats among them."""
    wanted = {_place(where, log_places): identity for where, identity in expected.items()}
    return compare("usage_events = deliveries", wanted, found)


def metered(
    events: Mapping[Identity, Usage], found: Sequence[tuple[Identity, str, Decimal, str]]
) -> Verdict:
    """`metered_usage`: each event once for each meter, with what the first delivery says."""
    wanted = {key: value for usage in events.values() for key, value in _metered(usage)}
    rows = {(who, meter): (value, member) for who, meter, value, member in found}
    verdict = compare("metered_usage = events × meters", wanted, rows)
    twice = repeated((who, meter) for who, meter, _, _ in found)
    return Verdict(verdict.name, verdict.compared, (*twice, *verdict.differences))


def _metered(usage: Usage) -> Iterator[tuple[tuple[Identity, str], tuple[Decimal, str]]]:
    for meter, micro in usage.values.items():
        yield (usage.identity, meter), (Decimal(micro).scaleb(-6), "")
    for meter, member in usage.members.items():
        yield (usage.identity, meter), (Decimal(1), member)


def conflicts(expected: Iterable[Identity], found: Sequence[Identity]) -> Verdict:
    """Ids with more than one content, each named once."""
    verdict = compare("conflicts are visible", dict.fromkeys(expected, 1), dict.fromkeys(found, 1))
    return Verdict(verdict.name, verdict.compared, (*verdict.differences, *repeated(found)))


def rejections(
    name: str,
    expected: Mapping[int, Malformed],
    log_places: Mapping[int, tuple[int, int]],
    found: Sequence[tuple[Place, str, bytes]],
) -> Verdict:
    """Every malformed element once, for its reason, with its bytes."""
    wanted = {
        _place(where, log_places): (each.reason, each.element) for where, each in expected.items()
    }
    verdict = compare(name, wanted, {where: (why, what) for where, why, what in found})
    twice = repeated(where for where, _, _ in found)
    return Verdict(name, verdict.compared, (*twice, *verdict.differences))


def stops(found: Sequence[Stop]) -> Verdict:
    """Every process of ours that was asked to stop did so in time; Kafka's stop is its own."""
    ours = [stop for stop in found if stop.name != BROKER]
    slow = [f"{s.name} took {s.milliseconds:,} ms" for s in ours if s.milliseconds > STOP_MS]
    return Verdict("stops within 10 s", len(ours), tuple(slow))


def _place(where: int, log_places: Mapping[int, tuple[int, int]]) -> Place:
    """Partition, offset and item of an element; a message that is not in the log is nowhere."""
    number, item = divmod(where, ITEMS)
    partition, offset = log_places.get(number, (-1, number))
    return partition, offset, item


def _shown(value: object) -> str:
    text = value.decode(errors="replace") if isinstance(value, bytes) else str(value)
    return text if len(text) <= 120 else f"{text[:117]}…"
