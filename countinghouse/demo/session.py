"""A demo from beginning to end: the stack comes up, the demo runs, the report is told."""

import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from rich.console import Console

from countinghouse.demo.input import DemoInput
from countinghouse.demo.report import Invoice, Report
from countinghouse.demo.run import run
from countinghouse.demo.story import tell
from countinghouse.init import open_ledger
from countinghouse.local.processes import stack_processes
from countinghouse.local.stack import LocalStack
from countinghouse.settings import Settings
from pipelines.explain.explanation import explain_invoice

LATER = "dagster"
"""Dagster's UI is not needed to close a month; it starts only when the stack is kept."""


def run_demo(demo: DemoInput, console: Console, *, keep: bool) -> Report:
    """Run the demo in the home folder of the settings and print its story.

    Raises:
        BillingError: with the remedy; running again goes on where it stopped.
    """
    demo.check()
    settings = Settings(max_event_age=None, max_event_lead=None)
    settings.home.mkdir(parents=True, exist_ok=True)
    if demo.claim(settings.home):
        console.print(f"This demo was begun before in {settings.home}; what is done stays done")
    open_ledger(settings, demo.catalog)
    with _Stack(settings, console, keep=keep):
        report = run(settings, demo, console)
        console.print()
        tell(report, console)
        _explain_one(settings, report, console)
    _where_next(settings, console, kept=keep)
    return report


@dataclass
class _Stack:
    """The local stack for the length of a demo; one that ran before is left running."""

    settings: Settings
    console: Console
    keep: bool
    found_running: bool = False

    def __enter__(self) -> None:
        names = [process.name for process in stack_processes(self.settings)]
        wanted = names if self.keep else [name for name in names if name != LATER]
        stack = LocalStack(self.settings, wanted)
        self.found_running = stack.is_running()
        stack.start(lambda line: self.console.print(f"  {line}", highlight=False))

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if not (self.keep and error is None) and not self.found_running:
            LocalStack(self.settings).stop()


def _explain_one(settings: Settings, report: Report, console: Console) -> None:
    """The most telling invoice: a change of plan in the month and, if there is one, overage."""
    changed = [it for it in report.invoices if "proration_charge" in _kinds(it)]
    # One that is held has no number.
    numbers = {it.number: it for it in changed if it.number is not None}
    if numbers:
        number = max(numbers, key=lambda each: _telling(numbers[each]))
        console.print("[bold]One invoice with a change of plan, explained[/bold]")
        books = open_ledger(settings)
        text = explain_invoice(books.invoice(number), books)
        console.print(text, highlight=False, markup=False, soft_wrap=True)


def _telling(invoice: Invoice) -> tuple[bool, bool, int]:
    """How much an explanation shows: overage, a fee that is credited, and a large total."""
    is_credited = any(line.amount_minor < 0 for line in invoice.lines)
    return is_credited, "overage" in _kinds(invoice), invoice.total_minor


def _kinds(invoice: Invoice) -> set[str]:
    return {line.kind for line in invoice.lines}


def _where_next(settings: Settings, console: Console, *, kept: bool) -> None:
    command = _command()
    if not kept:
        console.print(f"Start it again to look around: [bold]{command} up[/bold]; then")
    console.print(
        f"  Dagster's UI   http://127.0.0.1:{settings.dagster_port}\n"
        f"  SQL            {command} sql 'SHOW TABLES'\n"
        f"  any ClickHouse client   http://127.0.0.1:{settings.warehouse_port} "
        f"(user countinghouse, password in {settings.home}/warehouse.token)\n"
        f"  topics         docs/topics.md; Kafka at {settings.kafka_servers}\n"
        f"  an invoice     {command} invoices explain NUMBER\n"
        f"  [bold]{command} down[/bold] stops it, deleting {settings.home} forgets everything",
        highlight=False,
    )


def _command() -> str:
    """What to type here: the name alone where a shell finds it, else the way to it."""
    name = "countinghouse"
    return name if shutil.which(name) else os.path.relpath(Path(sys.executable).with_name(name))
