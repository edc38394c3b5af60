"""The demo's steps, in order: prepare, replay, catch up, close, collect, come late, report.

Each step finds what an earlier run has done already, so a demo that was killed goes on.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from rich.console import Console
from rich.progress import Progress

from countinghouse.closing_run import close_month
from countinghouse.counters_lag import lag_or_far
from countinghouse.demo.afterwards import send_late
from countinghouse.demo.gather import Gathered, gather
from countinghouse.demo.input import DemoInput
from countinghouse.demo.plan_changes import PlannedChange, carry_out, read_changes
from countinghouse.demo.report import Report, Stage
from countinghouse.demo.story import breach_line
from countinghouse.demo.subscriber import BreachSubscriber, Observed, read_all
from countinghouse.init import now_ms, open_ledger, read_text
from countinghouse.replay import ReplayResult, find_sent, replay
from countinghouse.replay_file import ReplaySource, read_source
from countinghouse.replay_plan import Extras
from countinghouse.settings import Settings
from countinghouse.waiting import wait_until
from countinghouse.wiring import await_landing, replay_target, usage_log, usage_reader
from pipelines.plans import subscription_file
from schemas.period import format_instant
from schemas.topics import QUOTA_EXCEEDED
from stores.ledger import Ledger
from stores.warehouse import client

PACE = 24_000
"""Rows a second: what two cores count, land and announce well within a second, broker included."""

EXTRAS = Extras(resend_share=0.02, resend_beyond=100, malformed=7)


@dataclass(slots=True)
class Timed:
    """The stages of this run and how long each took."""

    stages: dict[str, float]

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Measure the block."""
        began = time.monotonic()
        yield
        self.stages[name] = time.monotonic() - began


def run(settings: Settings, demo: DemoInput, console: Console) -> Report:
    """Run the demo on a stack that is up; what it did, from the stores themselves.

    Raises:
        BillingError: a file is wrong, a part does not answer, the month cannot be closed.
    """
    timed = Timed({})
    books = open_ledger(settings)
    _subscribe(demo, books, console)
    planned = [] if demo.plan_changes is None else read_changes(demo.plan_changes)
    _change_plans(planned, books, console)
    notes = settings.home / "demo-breaches.jsonl"
    with BreachSubscriber(settings.kafka_access, notes, _announcer(console)) as breaches:
        source = read_source(demo.usage, demo.limit)
        replayed = _replay(settings, source, console, timed)
        _catch_up(settings, timed)
        _hear_all(settings, breaches)
        _close(settings, demo, console, timed)
        wait_until(lambda: books.mirror_behind() == 0, "the copy of the invoices")
        wait_until(lambda: not books.tenants_due(now_ms()), "the history of plans")
        _send_late(settings, demo, books, console)
        gathered = gather(settings, demo, books, breaches.observed(), planned)
    return _report(gathered, replayed, timed)


def _subscribe(demo: DemoInput, books: Ledger, console: Console) -> None:
    """Give the tenants their plans; who has one keeps it, since it may have changed."""
    version, catalog = books.catalog()
    name, known = str(demo.subscriptions), set(books.tenant_names())
    wanted = subscription_file.parse(read_text(demo.subscriptions), name, version, catalog)
    new = [each for each in wanted if each.tenant not in known]
    saved = books.save_subscriptions(new, now_ms(), "demo")
    console.print(f"Subscriptions: {saved.created} new, {len(wanted) - len(new)} as before")


def _change_plans(planned: list[PlannedChange], books: Ledger, console: Console) -> None:
    """Give the month's commands; returns when all entitlements are on the topic."""
    for carried in carry_out(books, planned):
        before = ", as before" if carried.is_repeat else ""
        when = format_instant(carried.entry.effective_ms)
        console.print(f"  {carried.tenant}: {carried.entry.what}, from {when}{before}")
    wait_until(
        lambda: books.entitlements_behind() == 0,
        "the entitlements to be published",
        progress=books.entitlements_behind,
    )


def _announcer(console: Console) -> Callable[[Observed], None]:
    def announce(seen: Observed) -> None:
        breach = seen.breach
        line = breach_line(breach.tenant, breach.threshold_percent, breach.used, seen.latency_ms)
        console.print(line, highlight=False)

    return announce


def _replay(
    settings: Settings, source: ReplaySource, console: Console, timed: Timed
) -> ReplayResult:
    """Send what the log does not hold yet, at the pace of the counters."""
    await_landing(settings)
    connection = client.connect(settings.clickhouse_url)
    already = find_sent(connection, source)
    connection.close()
    target = replay_target(settings)
    found = int(already.landed.sum())
    if found:
        console.print(
            f"Found {found:,} of {len(source):,} events already there; they stay as they are"
        )
    with Progress(console=console, transient=True) as bars, timed.stage("produce"):
        bar = bars.add_task("replaying usage", total=len(source))
        result = replay(
            source,
            target,
            extras=EXTRAS,
            throttle=lambda: lag_or_far(settings),
            already=already,
            pace=PACE,
            progress=lambda done, _rows: bars.update(bar, completed=done),
        )
    _tell_replayed(result, console)
    return result


def _tell_replayed(result: ReplayResult, console: Console) -> None:
    console.print(
        f"Sent {result.produced:,} events in {result.seconds:.1f} s: {result.resent:,} of them "
        f"again within the counters' window, {result.beyond} beyond it, "
        f"{result.malformed} malformed"
    )
    if result.slowed:
        console.print(
            f"Slowed down {result.slowed} times, {result.slowed_seconds:.1f} s in all, "
            "to keep the counters less than half a second behind"
        )


def _catch_up(settings: Settings, timed: Timed) -> None:
    """Returns when counters and landing have read everything that was sent."""
    produced = timed.stages["produce"]
    with timed.stage("count"), usage_reader(settings) as usage:
        ends = usage_log(settings).ends()
        wait_until(
            lambda: usage.counted().covers(ends),
            "the counters to reach the end of usage.events",
            progress=usage.counted,
        )
    with timed.stage("land"):
        await_landing(settings)
    timed.stages["land"] += produced + timed.stages["count"]
    timed.stages["count"] += produced


def _hear_all(settings: Settings, breaches: BreachSubscriber) -> None:
    """Returns when the subscriber has read all that the topic holds."""
    announced = len(read_all(settings.kafka_access, QUOTA_EXCEEDED))
    wait_until(
        lambda: len(breaches.observed()) >= announced,
        "the subscriber of quota.exceeded",
        progress=lambda: len(breaches.observed()),
    )


def _close(settings: Settings, demo: DemoInput, console: Console, timed: Timed) -> None:
    console.print(f"Closing {demo.month} through Dagster")
    with timed.stage("close and collect"):
        close_month(settings, demo.month, lambda line: console.print(f"  {line}"))


def _send_late(settings: Settings, demo: DemoInput, books: Ledger, console: Console) -> None:
    tenant = send_late(settings, demo, books)
    if tenant is not None:
        console.print(f"After the close one more event of {demo.month} came, of {tenant}")


def _report(gathered: Gathered, replayed: ReplayResult, timed: Timed) -> Report:
    events = replayed.produced
    stages = [
        Stage(
            name=name,
            seconds=round(seconds, 3),
            events_per_second=round((events or gathered.events.produced) / seconds, 1),
        )
        for name, seconds in timed.stages.items()
        if events or name.startswith("close")
    ]
    return gathered.report(stages)
