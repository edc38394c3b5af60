"""Verdicts on what was announced: exactly the truth where plans never change, true where they do.

A tenant whose plan changes is judged by the version that an announcement names: which of two
changes and an event came first is the counters' to say, once; what follows from it is not.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from countinghouse.chaos import prices
from countinghouse.chaos.topics import Read
from countinghouse.chaos.truth import (
    Announcement,
    CounterKey,
    Fact,
    Tally,
    fact_id,
    quantity,
)
from countinghouse.chaos.verdict import Verdict, compare, repeated
from countinghouse.chaos.windows import instant_ms, window_end_ms

ENTITLEMENTS = "entitlements"
"""Source of a cause that is a change of plan."""

Step = tuple[str, int, str]
"""Quantity, per cent, topic."""


@dataclass(frozen=True, slots=True)
class Announced:
    """An announcement as it was read."""

    fact: Fact
    key: CounterKey
    percent: int
    at: str
    used: str
    version: int
    cause: tuple[str, str]
    cause_time: str


def read(topic: str, records: Sequence[Read]) -> list[Announced]:
    """The announcements of a topic."""
    return [_announced(topic, json.loads(record.value or b"{}")) for record in records]


def _announced(topic: str, message: Mapping[str, Any]) -> Announced:
    window, cause = message["window"], message["cause"]
    return Announced(
        fact=Fact(topic, message["id"]),
        key=CounterKey(message["tenant"], message["meter"], window["kind"], window["start"]),
        percent=message["threshold_percent"],
        at=message["at"] if topic == prices.ALERTS else message["limit"],
        used=message["used"],
        version=message["entitlement_version"],
        cause=(cause["source"], cause["id"]),
        cause_time=cause["time"],
    )


class Timelines:
    """What was published for whom, by version, as the topic `entitlements` has it."""

    def __init__(self, records: Sequence[Read]) -> None:
        self._entries: dict[tuple[str, int], list[tuple[int, dict[str, Any]]]] = {}
        self.newest: dict[str, int] = {}
        for record in records:
            self._take(json.loads(record.value or b"{}"))

    def _take(self, message: Mapping[str, Any]) -> None:
        tenant, version = message["tenant"], message["version"]
        entries = [(instant_ms(entry["from"]), entry["meters"]) for entry in message["timeline"]]
        self._entries[tenant, version] = entries
        self.newest[tenant] = max(version, self.newest.get(tenant, 0))

    def knows(self, tenant: str, version: int) -> bool:
        """Was this version ever published? Version 0 is the default plan's."""
        return not version or (tenant, version) in self._entries

    def steps(self, key: CounterKey, version: int, time_ms: int) -> set[Step]:
        """The steps of a counter at an instant, under a version."""
        begun = [
            meters
            for from_ms, meters in self._entries.get((key.tenant, version), ())
            if from_ms <= time_ms
        ]
        if not begun:
            found = prices.steps(prices.DEFAULT_PLAN, key.meter, key.kind)
            return {(quantity(at), percent, topic) for at, percent, topic in found}
        limits = begun[-1].get(key.meter, {})
        if key.kind != "billing_period":
            limits = limits.get("windows", {}).get(key.kind, {})
        return {step for step in _steps(limits) if step[0] != "0"}


def _steps(limits: Mapping[str, Any]) -> Iterator[Step]:
    for each in limits.get("thresholds", ()):
        yield each["at"], each["percent"], prices.ALERTS
    if soft := limits.get("soft"):
        yield soft["at"], soft["percent"], prices.ALERTS
    if hard := limits.get("hard"):
        yield hard["at"], hard["percent"], prices.EXCEEDED


def once(found: Sequence[Announced]) -> Verdict:
    """Nobody is told the same thing twice."""
    return Verdict("announced once", len(found), repeated(each.fact for each in found))


def constant(
    expected: Mapping[Fact, Announcement], changing: frozenset[str], found: Sequence[Announced]
) -> Verdict:
    """Where plans never change: exactly the truth, the crossing event and quantity included."""
    told = {
        each.fact: Announcement(each.key, each.percent, each.at, each.used, each.cause)
        for each in found
        if each.key.tenant not in changing
    }
    return compare("announced = crossed, plans constant", expected, told)


def changing(
    tallies: Mapping[CounterKey, Tally],
    timelines: Timelines,
    found: Sequence[Announced],
    now_ms: int,
) -> Verdict:
    """Where plans change: every announcement is true, and none of the last version is missing."""
    ours = {key: tally for key, tally in tallies.items() if tally.history is not None}
    tenants = {key.tenant for key in ours}
    told = [each for each in found if each.key.tenant in tenants]
    false = [wrong for each in told if (wrong := _falsehood(each, ours, timelines))]
    facts = {each.fact for each in told}
    missing = [
        f"missing: {key} reached {percent}% ({at}) with {quantity(tally.value)}"
        for key, tally in ours.items()
        for at, percent, topic in _reached(key, tally, timelines, now_ms)
        if Fact(topic, fact_id(key, at, percent)) not in facts
    ]
    return Verdict("announced is true, plans changing", len(told), (*false, *missing))


def _falsehood(
    told: Announced, tallies: Mapping[CounterKey, Tally], timelines: Timelines
) -> str | None:
    """What is wrong with an announcement, or None."""
    what = f"{told.key} {told.percent}% ({told.at}) by version {told.version}"
    history = tallies[told.key].history if told.key in tallies else None
    if history is None:
        return f"surplus: {what}: there is no such counter"
    if told.fact.id != fact_id(told.key, told.at, told.percent):
        return f"wrong id: {what}"
    if not timelines.knows(told.key.tenant, told.version):
        return f"unknown version: {what}"
    step = (told.at, told.percent, told.fact.topic)
    if step not in timelines.steps(told.key, told.version, instant_ms(told.cause_time)):
        return f"no such step then: {what} at {told.cause_time}"
    return _wrong_use(told, history, what)


def _wrong_use(told: Announced, history: Mapping[tuple[str, str], int], what: str) -> str | None:
    """The quantity must be the counter's right after its cause, and reach the step."""
    if told.cause[0] == ENTITLEMENTS:
        is_right = told.cause[1] == str(told.version) and told.used in map(
            quantity, history.values()
        )
    else:
        is_right = told.cause in history and quantity(history[told.cause]) == told.used
    if not is_right:
        return f"wrong use: {what} with {told.used} after {' '.join(told.cause)}"
    is_reached = prices.micro(told.used) >= prices.micro(told.at)
    return None if is_reached else f"not reached: {what}: {told.used}"


def _reached(key: CounterKey, tally: Tally, timelines: Timelines, now_ms: int) -> Iterator[Step]:
    """The steps of the newest version that the final quantity reaches, as of now or the end."""
    start_ms, end_ms = instant_ms(key.start), window_end_ms(key.kind, key.start)
    then_ms = min(max(now_ms, start_ms), end_ms - 1)
    version = timelines.newest.get(key.tenant, 0)
    steps = timelines.steps(key, version, then_ms)
    if now_ms >= end_ms and steps != timelines.steps(key, version, start_ms):
        return  # its last events may have been judged by what was in force before
    for at, percent, topic in steps:
        if prices.micro(at) <= tally.value:
            yield at, percent, topic
