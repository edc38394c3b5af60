"""What `countinghouse status` shows: one screen for a person, the same as JSON for a script."""

import json
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass

from clickhouse_connect.driver.exceptions import ClickHouseError
from rich.console import Console
from rich.table import Table
from rich.text import Text

from countinghouse.figures import Figures, Standing, figures, standing
from countinghouse.local.probes import reachable
from countinghouse.local.stack import LocalStack, ProcessStatus
from countinghouse.settings import Settings
from schemas import metrics as listed
from schemas.errors import DependencyUnreachable
from stores.warehouse import client

RATE_SECONDS = 1.0
CONFLICT_SECONDS = 2
TELLING = ("relay", "landing", "counters", "api")
"""The processes that serve metrics of the list."""


@dataclass(frozen=True, slots=True)
class Report:
    """A process, what it told, a second `before` as well, and how far it is; `conflicts` is the
    warehouse's."""

    process: ProcessStatus
    told: Figures | None = None
    before: Figures | None = None
    standing: Standing | None = None
    conflicts: int | None = None

    @property
    def state(self) -> str:
        """Ready, or what it is instead."""
        if self.process.is_ready:
            return "ready"
        return "not ready" if self.process.state == "running" else self.process.state

    @property
    def problem(self) -> str | None:
        """Why it is not ready, as it says itself."""
        return None if self.told is None or self.process.pid is None else self.told.problem


def reports(settings: Settings) -> list[Report]:
    """Every process of the local stack; asks twice, a second apart, how far each is."""
    ports = {name: getattr(settings, f"{name}_port") for name in TELLING}
    host = reachable(settings.host)
    before = {name: figures(port, host) for name, port in ports.items()}
    if any(told.samples for told in before.values()):
        time.sleep(RATE_SECONDS)
    found = []
    for process in LocalStack(settings).status():
        name = process.name
        if name in ports:
            told, earlier = figures(ports[name], host), before[name]
            found.append(Report(process, told, earlier, standing(name, earlier, told)))
        elif name == "warehouse" and process.is_ready:
            found.append(Report(process, conflicts=_conflicts(settings)))
        else:
            found.append(Report(process))
    return found


def _conflicts(settings: Settings) -> int | None:
    """Ids that came again with other content; None when counting them takes too long."""
    try:
        with closing(client.connect(settings.clickhouse_url)) as warehouse:
            rows = warehouse.query(
                "SELECT count() FROM conflicts", settings={"max_execution_time": CONFLICT_SECONDS}
            ).result_rows
    except (ClickHouseError, DependencyUnreachable):
        return None
    return int(rows[0][0])


def as_json(found: Sequence[Report]) -> str:
    """For a script: a list of processes; figures by their names in queries."""
    return json.dumps([_plain(report) for report in found], indent=1)


def _plain(report: Report) -> dict[str, object]:
    plain: dict[str, object] = asdict(report.process)
    plain["problem"] = report.problem
    if report.standing is not None:
        plain |= asdict(report.standing)
    if report.told is not None:
        plain["figures"] = {str(sample): sample.value for sample in report.told.samples}
    if report.conflicts is not None:
        plain["conflicts"] = report.conflicts
    return plain


def show(found: Sequence[Report], console: Console) -> None:
    """For a person: a line for each process, then what they say."""
    headings = ("process", "state", "up for", "port", "behind", "events/s", "prices", "epoch")
    table = Table(*headings, box=None, pad_edge=False)
    for column in table.columns[3:]:
        column.justify = "right"
    for report in found:
        table.add_row(*_row(report))
    console.print(table)
    details = Table.grid(padding=(0, 2))
    for name, line in _details(found):
        details.add_row(name, Text(line))
    console.print()
    console.print(details)


def _row(report: Report) -> list[Text]:
    process, at = report.process, report.standing
    colour = {"ready": "green", "stopped": "dim"}.get(report.state, "red")
    behind = "" if at is None else _behind(at.lag_records, at.lag_seconds)
    plain = [
        _duration(process.uptime_seconds) if process.pid else "",
        str(process.port or ""),
        behind,
        "" if at is None else f"{at.events_per_second:,}",
        "" if at is None else f"v{at.catalog_version}",
        "" if at is None else str(at.epoch),
    ]
    return [Text(process.name), Text(report.state, colour), *map(Text, plain)]


def _behind(records: int, seconds: float) -> str:
    return f"{records:,}, {_duration(seconds)}" if records else "nothing"


def _duration(seconds: float) -> str:
    """In the largest two units, as a person says it."""
    if seconds < 10:
        return f"{seconds:.1f} s".replace(".0 ", " ")
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    parts = [(days, "d"), (hours, "h"), (minutes, "min"), (rest, "s")]
    first = next((n for n, (value, _) in enumerate(parts) if value), 3)
    return " ".join(f"{value} {unit}" for value, unit in parts[first : first + 2] if value)


def _details(found: Sequence[Report]) -> Iterator[tuple[str, str]]:
    for report in found:
        name, told = report.process.name, report.told
        if report.problem:
            yield name, report.problem
        if told is not None and told.samples:
            yield from _sayings(name, told, report.before or told)
        if report.conflicts is not None:
            hint = ": see the view `conflicts`" if report.conflicts else ""
            yield "conflicts", f"{report.conflicts:,} ids with several contents{hint}"


def _sayings(name: str, told: Figures, before: Figures) -> Iterator[tuple[str, str]]:
    if name == "counters":
        yield name, _of_counters(told, before)
        yield from _of_notices(told)
    elif name == "landing":
        yield name, _of_landing(told, before)
    elif name == "relay":
        sent, failed = told.total(listed.RELAY_SENT), told.total(listed.RELAY_FAILURES)
        yield name, f"{sent:,} sent, {failed:,} rounds failed"


def _of_counters(told: Figures, before: Figures) -> str:
    kinds = told.by(listed.CROSSINGS, "kind")
    return (
        f"{told.total(listed.COUNTED):,} counted, {told.total(listed.DUPLICATES):,} repeats, "
        f"{told.total(listed.COUNTERS_REJECTED):,} rejected; "
        f"{kinds.get('threshold', 0):,} alerts, {kinds.get('hard_limit', 0):,} hard limits; "
        f"{now_of_counters(told, before)}; "
        f"{told.total(listed.RELOADS)} loads, {told.total(listed.FENCED)} fenced, "
        f"{told.total(listed.HOLES)} holes"
    )


def now_of_counters(told: Figures, before: Figures) -> str:
    """How long transactions take now."""
    seconds = told.mean_since(before, listed.FLUSH)
    return (
        "no transaction just now" if seconds is None else f"{seconds * 1000:.0f} ms a transaction"
    )


def _of_notices(told: Figures) -> Iterator[tuple[str, str]]:
    """A line for each receiver; the log is none of them."""
    for receiver, waiting in told.by(listed.NOTICES_WAITING, "receiver").items():
        if receiver == "log":
            continue
        oldest_s = max(told.values(listed.NOTICES_OLDEST, receiver=receiver), default=0)
        delivered = told.total(listed.NOTICES_DELIVERED, receiver=receiver)
        given_up = told.total(listed.NOTICES_GIVEN_UP, receiver=receiver)
        late = f" (for {_duration(oldest_s)})" if waiting else ""
        said = f"{delivered:,} delivered, {waiting:,} waiting{late}, {given_up:,} given up"
        yield "notices", f"{receiver}: {said}"


def _of_landing(told: Figures, before: Figures) -> str:
    reasons = told.by(listed.LANDING_REJECTED, "reason")
    named = f" ({', '.join(f'{n:,} {reason}' for reason, n in reasons.items())})" if reasons else ""
    return (
        f"{told.total(listed.LANDED):,} landed, {sum(reasons.values()):,} rejected{named}; "
        f"{now_of_landing(told, before)}; {told.total(listed.LANDING_RETRIES):,} retries"
    )


def now_of_landing(told: Figures, before: Figures) -> str:
    """How large batches are now, and how long they take; those of positions alone are none."""
    rows = told.mean_since(before, listed.BATCH_ROWS)
    seconds = told.mean_since(before, listed.BATCH_SECONDS)
    if not rows or seconds is None:
        return "no batch just now"
    return f"{rows:,.0f} rows a batch in {seconds * 1000:,.0f} ms"
