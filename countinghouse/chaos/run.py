"""A chaos run from beginning to end: a town, its traffic, a siege, the settling, the verdicts."""

import time
from dataclasses import dataclass
from pathlib import Path

from countinghouse.chaos import verdict
from countinghouse.chaos.auditor import Auditor
from countinghouse.chaos.court import Court
from countinghouse.chaos.plans import Plans
from countinghouse.chaos.progress import CountingWatch, LandingWatch, Settling
from countinghouse.chaos.report import Figures, Outcome, fault_line
from countinghouse.chaos.schedule import BROKER, CREWS, schedule
from countinghouse.chaos.siege import Done, Siege
from countinghouse.chaos.topics import StateReading
from countinghouse.chaos.town import Report, Town
from countinghouse.chaos.traffic import Traffic
from countinghouse.chaos.truth import Truth
from schemas.errors import BillingError
from schemas.topics import USAGE_ALERTS

FIXED_PLANS = ("pro", "enterprise", "free")
NAMES = ("tenant", "ténant", "te/nant", 'te"nant', "tenant")
RELAY_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Options:
    """What is asked for; `rate` is messages a second."""

    seed: int
    duration_ms: int
    workers: int
    landers: int
    partitions: int = 8
    tenants: int = 40
    rate: int = 400


class ChaosRun:
    """One run in a home folder of its own."""

    def __init__(self, options: Options, home: Path, report: Report) -> None:
        self._options = options
        self._report = report
        self._town = Town.at(home, options.partitions)
        self._tenants = [tenant(number) for number in range(options.tenants)]
        self._changing = frozenset(self._tenants[::4])
        fixed = self._tenants[1::4]
        self._fixed = {name: FIXED_PLANS[n % len(FIXED_PLANS)] for n, name in enumerate(fixed)}
        self._truth = Truth(self._fixed, self._changing)
        self._court = Court(self._town, self._truth, self._changing)

    def run(self) -> Outcome:
        """Do all of it; nothing is left running, whatever happens.

        Raises:
            BillingError: the town cannot be started.
        """
        try:
            return self._run()
        finally:
            self._town.kill()

    def _run(self) -> Outcome:
        started = time.monotonic()
        plans = self._open()
        self._report(f"everything runs in {self._town.settings.home}")
        auditor = Auditor(self._town.settings)
        auditor.start()
        siege, traffic, stood = self._besiege(plans)
        audit = auditor.stop()
        stopped = time.monotonic()
        state = self._settle(plans)
        settled_ms = int((time.monotonic() - stopped) * 1000)
        self._report("comparing with the truth")
        verdicts = [*self._court.verdicts(state, traffic), audit]
        self._town.close()
        verdicts.append(verdict.stops(self._town.stops))
        figures = self._figures(
            seconds=int(time.monotonic() - started),
            plan_changes=plans.changes,
            settled_ms=settled_ms,
            **stood,
        )
        home = str(self._town.settings.home)
        return Outcome(self._options.seed, home, figures, siege.done, self._town.endings, verdicts)

    def _open(self) -> Plans:
        """Start the town and its crews, every plan published before anything is counted."""
        books = self._town.open(self._report)
        plans = Plans(books, sorted(self._changing), self._options.seed)
        plans.subscribe({**self._fixed, **dict.fromkeys(self._changing, "free")})
        self._await_relay(plans)
        sizes = zip(CREWS, (self._options.workers, self._options.landers), strict=True)
        names = [f"{role}-{n + 1}" for role, size in sizes for n in range(size)]
        for name in names:
            self._town.child(name).start()
        for name in names:
            self._town.await_ready(name)
        return plans

    def _besiege(self, plans: Plans) -> tuple[Siege, Traffic, dict[str, int]]:
        """Traffic and faults; the figures of how long counting and landing stood at the longest."""
        options, kafka = self._options, self._town.settings.kafka_access
        traffic = Traffic(
            kafka, self._tenants, options.partitions, options.rate, options.seed, self._truth
        )
        counting = CountingWatch(kafka, options.partitions)
        landing = LandingWatch(kafka, options.partitions)
        traffic.start()
        counting.start()
        landing.start()
        siege = Siege(self._town, traffic, plans, self._on_fault)
        faults = schedule(options.seed, options.duration_ms, options.workers, options.landers)
        siege.run(faults, options.duration_ms)
        traffic.stop(sorted(self._changing))
        ended_ms = int(time.time() * 1000)
        # landing first: nothing flows any more, and it counts by the clock
        stood = {"landing_stood_ms": landing.stop(), "counting_stood_ms": counting.stop(ended_ms)}
        return siege, traffic, stood

    def _on_fault(self, done: Done) -> None:
        self._report(fault_line(done))

    def _settle(self, plans: Plans) -> StateReading:
        """Wait until everything is published, counted and landed."""
        self._await_relay(plans)
        settings = self._town.settings
        return Settling(
            settings.kafka_access, settings.partitions, self._town.look, self._report
        ).run()

    def _await_relay(self, plans: Plans) -> None:
        deadline = time.monotonic() + RELAY_SECONDS
        while plans.unpublished():
            self._town.look()
            if time.monotonic() > deadline:
                raise BillingError("the relay does not publish: see relay.log")
            time.sleep(0.1)

    def _figures(self, **measured: int) -> Figures:
        truth, told = self._truth, self._court.announced
        alerts = sum(each.fact.topic == USAGE_ALERTS for each in told)
        ours = [stop for stop in self._town.stops if stop.name != BROKER]
        slowest = max(ours, key=lambda stop: stop.milliseconds)
        return Figures(
            messages=truth.messages,
            deliveries=len(truth.deliveries),
            events=len(truth.events),
            repeats=truth.repeats,
            conflicts=len(truth.conflicts),
            rejected=len(truth.rejected),
            counters=len(truth.tallies),
            alerts=alerts,
            exceeded=len(told) - alerts,
            slowest_stop=slowest.name,
            slowest_stop_ms=slowest.milliseconds,
            **measured,
        )


def tenant(number: int) -> str:
    """Names as customers have them: not only plain letters."""
    return f"{NAMES[number % len(NAMES)]}-{number:02d}"
