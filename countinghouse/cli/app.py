"""The command line: which commands there are, and how an error becomes one line and an exit code.

Exit codes: 0 done, 1 failed, 2 wrong usage or setting, 3 done in part, 4 not found or in conflict,
5 something we need does not answer, 130 interrupted.
"""

import importlib
import sys
from importlib.metadata import version
from importlib.util import find_spec
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from countinghouse.without_pandas import leave_pandas_out

# Name, "module:function or Typer", what it is for. A command is loaded when it is called, so that
# help and completion stay quick; one whose module is not there does not exist.
COMMANDS: dict[str, tuple[str, str]] = {
    "demo": ("demo:demo", "Run the whole way once, on a month of real usage."),
    "up": ("stack:up", "Start the local stack."),
    "down": ("stack:down", "Stop the local stack."),
    "status": ("stack:status", "Show the processes of the local stack."),
    "doctor": ("stack:doctor", "Look for what is missing on this machine."),
    "replay": ("replay:replay", "Send usage from a Parquet or CSV file to Kafka."),
    "catalog": ("catalog:catalog", "Check, compare, apply, roll out or show the price list."),
    "subscriptions": ("subscriptions:subscriptions", "Give tenants plans, change or list them."),
    "tenants": ("tenants:tenants", "Set where a tenant buys, for tax, or its card."),
    "add-ons": ("add_ons:add_ons", "Book add-ons beside a tenant's plan."),
    "items": ("items:items", "Charge something once."),
    "coupons": ("coupons:coupons", "Redeem coupons, or list what is redeemed."),
    "credits": ("credits:credits", "Grant prepaid credits, or list what is left."),
    "entitlements": ("entitlements:entitlements", "Show or republish what tenants may use."),
    "usage": ("usage:usage", "Show usage: of a month, late, unbilled, repeated."),
    "counters": ("counters:counters", "Rebuild counters from stored usage."),
    "topics": ("topics:topics", "Show the topics, or grow to more partitions."),
    "rejected": ("rejected:rejected", "List what was rejected, and why."),
    "reconcile": ("reconcile:reconcile", "Compare counters, warehouse and invoices."),
    "close": ("close:close", "Close a month: from usage to invoices."),
    "bundle": ("bundle:bundle", "Write a closed month as files that anyone can recompute."),
    "verify": ("verify:verify", "Compute a closed month again and list what differs."),
    "invoices": (
        "invoices:invoices",
        "Show, explain, approve, hold, void or export invoices.",
    ),
    "simulate": ("simulate:simulate", "Price closed months by a draft of a price list."),
    "margin": ("margin:margin", "Show what models cost beside what tenants pay."),
    "pay": ("pay:pay", "Collect what a closed month is still owed."),
    "sql": ("sql:sql", "Ask the warehouse in SQL."),
    "chaos": ("chaos:chaos", "Prove by faults that counting and landing are exact."),
    "worker": ("worker:worker", "Run one process of the stack in the foreground."),
}
HIDDEN = frozenset({"worker"})


class Commands(TyperGroup):
    """Lists the table, loads from it."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Those whose module is there, in the table's order."""
        return [name for name in COMMANDS if _exists(name)]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """What help shows of a command: its name and its line."""
        if cmd_name not in COMMANDS or not _exists(cmd_name):
            return None
        line = COMMANDS[cmd_name][1]
        return TyperCommand(cmd_name, help=line, hidden=cmd_name in HIDDEN)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The command itself, loaded."""
        name, command, rest = super().resolve_command(ctx, args)
        return name, command and _load(str(name)), rest


def _module(name: str) -> str:
    return f"countinghouse.cli.{COMMANDS[name][0].partition(':')[0]}"


def _exists(name: str) -> bool:
    return find_spec(_module(name)) is not None


def _load(name: str) -> Any:
    attribute = COMMANDS[name][0].partition(":")[2]
    target = getattr(importlib.import_module(_module(name)), attribute)
    if isinstance(target, typer.Typer):
        command: Any = typer.main.get_group(target)
        command.help = COMMANDS[name][1]
    else:
        single = typer.Typer(add_completion=False)
        single.command(name, help=target.__doc__ or COMMANDS[name][1])(target)
        command = typer.main.get_command(single)
    command.name = name
    return command


app = typer.Typer(
    cls=Commands,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Usage metering and billing on Kafka and ClickHouse.",
)


def _show_version(is_asked: bool) -> None:
    if is_asked:
        typer.echo(version("countinghouse"))
        raise typer.Exit


@app.callback()
def _root(
    _version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Usage metering and billing on Kafka and ClickHouse."""


def main() -> None:
    """Run the command line; an error that a person can meet is one line on stderr."""
    leave_pandas_out()
    try:
        typer.main.get_command(app)(prog_name="countinghouse")
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:
        line, code = _explained(error)
        typer.echo(f"countinghouse: {line}", err=True)
        sys.exit(code)


def _explained(error: Exception) -> tuple[str, int]:
    """The line and the exit code of an expected error; anything else is a bug and is raised."""
    from pydantic import ValidationError
    from pydantic_settings import SettingsError

    from schemas.errors import BillingError

    if isinstance(error, BillingError):
        return str(error), error.exit_code
    if isinstance(error, ValidationError) and error.title == "Settings":
        return _setting_line(error), 2
    if isinstance(error, SettingsError):
        return str(error), 2
    raise error


def _setting_line(error: Any) -> str:
    first = error.errors()[0]
    variable = "COUNTINGHOUSE_" + "_".join(str(part) for part in first["loc"]).upper()
    return f"{variable} (or its line in countinghouse.toml): {first['msg']}"
