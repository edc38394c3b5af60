"""The commands on plans that a demo gives: an upgrade, a scheduled downgrade, a cancellation.

They come from a file, each with the instant at which it is given, and are carried out once.
"""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from countinghouse.demo import report
from countinghouse.init import read_text
from pipelines.plans.plan_commands import Cancel, Change, Command, When
from pipelines.plans.plan_records import Carried, Order, change_plan
from schemas.errors import InvalidInput
from schemas.period import format_instant, parse_instant
from schemas.plan_change import CLOCK
from stores.ledger import Ledger

_WHO = "demo"
_KEY = "demo:"
_WHENS: tuple[When, ...] = ("now", "period-end")


@dataclass(frozen=True, slots=True)
class PlannedChange:
    """A command for a tenant's subscription."""

    tenant: str
    order: Order


def read_changes(path: Path) -> list[PlannedChange]:
    """Read `given_at,tenant,command,plan,when,why`, in the order of the file.

    Raises:
        InvalidInput: the file cannot be read, or a line is wrong.
    """
    rows = csv.DictReader(read_text(path).splitlines())
    found = []
    for number, row in enumerate(rows, start=2):
        try:
            found.append(_planned(row))
        except (KeyError, ValueError) as problem:
            hint = "write given_at,tenant,command,plan,when,why"
            raise InvalidInput(f"{path}:{number}: {problem}; {hint}") from None
    return found


def _planned(row: dict[str, str]) -> PlannedChange:
    given = row["given_at"]
    order = Order(_command(row), parse_instant(given), _WHO, row["why"], f"{_KEY}{given}")
    return PlannedChange(row["tenant"], order)


def _command(row: dict[str, str]) -> Command:
    when = next((each for each in _WHENS if each == row["when"]), None)
    if when is None:
        raise ValueError(f"{row['when']!r} is neither now nor period-end")
    match row["command"]:
        case "change":
            return Change(plan=row["plan"], when=when)
        case "cancel":
            return Cancel(when=when)
    raise ValueError(f"{row['command']!r} is neither change nor cancel")


def carry_out(books: Ledger, planned: list[PlannedChange]) -> list[Carried]:
    """Give the commands, each in its turn; what was done before is found, not done again."""
    return [change_plan(books, each.tenant, each.order) for each in planned]


def recorded(books: Ledger, planned: list[PlannedChange]) -> Iterator[report.PlanChange]:
    """What the ledger's history holds of these tenants: the commands, and what came of them."""
    for tenant in dict.fromkeys(each.tenant for each in planned):
        for change in books.plan_history(tenant):
            entry = change.entry
            if entry.key.startswith((_KEY, f"{CLOCK}:")):
                yield report.PlanChange(
                    tenant=tenant,
                    who=entry.who,
                    why=entry.why,
                    what=entry.what,
                    takes_effect=format_instant(entry.effective_ms),
                    state=str(entry.to_state),
                )
