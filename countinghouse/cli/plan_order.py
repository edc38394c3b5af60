"""What all commands on plans share: the tenant, who, why, the key, and how their effect is told."""

import getpass
import inspect
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

import typer

from countinghouse.cli.options import JsonOption
from countinghouse.cli.tables import Format, chosen_format, show
from countinghouse.plan_run import Profile, order_change, preview_order
from pipelines.plans.plan_commands import Command
from pipelines.plans.plan_life import PlanChange
from pipelines.plans.plan_records import Carried, Order
from pipelines.reports.plan_preview import PlanPreview
from schemas.invoice import InvoiceLine
from schemas.money import format_minor
from schemas.period import format_instant
from schemas.quantity import format_micro

LINE_COLUMNS = ("change", "line", "quantity", "amount")

orders = typer.Typer()
previews = typer.Typer(
    no_args_is_help=True, help="Show the lines that a command would change, and change nothing."
)

TenantArgument = Annotated[str, typer.Argument(help="The tenant as its events name it.")]
WhoOption = Annotated[str, typer.Option(help="Who orders it; default: your login.")]
WhyOption = Annotated[str, typer.Option(help="Why; it stays in the history.")]
KeyOption = Annotated[
    str, typer.Option(help="Names the command: with the same key it is done only once.")
]
ClosedOption = Annotated[
    bool, typer.Option("--in-closed-months", help="Allow a change of what was invoiced.")
]


@dataclass(frozen=True, slots=True)
class Ordered:
    """A command as its options say it; `profile` where its tenant may be a new one."""

    command: Command
    profile: Profile | None = None


def order(name: str) -> Callable[[Callable[..., Ordered]], Callable[..., Ordered]]:
    """Make a command line's command, and its preview, of a function that says the command."""

    def register(make: Callable[..., Ordered]) -> Callable[..., Ordered]:
        orders.command(name)(with_options(make, _carry_out))
        previews.command(name)(with_options(make, _preview))
        return make

    return register


def _carry_out(
    tenant: TenantArgument,
    ordered: Ordered,
    who: WhoOption = "",
    why: WhyOption = "",
    key: KeyOption = "",
    in_closed_months: ClosedOption = False,
    as_script: JsonOption = False,
) -> None:
    carried = order_change(
        tenant,
        new_order(ordered.command, who, why, key, in_closed_months=in_closed_months),
        ordered.profile,
    )
    told = carried_as_json(carried)
    typer.echo(json.dumps(told) if as_script else _in_words(carried))


def _preview(tenant: TenantArgument, ordered: Ordered, as_script: JsonOption = False) -> None:
    change, found = preview_order(tenant, ordered.command, ordered.profile)
    form = chosen_format(as_json=as_script, as_csv=False)
    if form is Format.JSON:
        typer.echo(json.dumps(_preview_as_json(change, found)))
        return
    if form is Format.TABLE:
        typer.echo(f"{tenant}: {change.what}\n")
    show(LINE_COLUMNS, _rows(found), form)
    typer.echo(_difference(found), err=True)


def with_options(make: Callable[..., Ordered], act: Callable[..., None]) -> Callable[..., None]:
    """A function whose options are those of `make` after the tenant, if `act` has one, then others.

    Typer reads a function's signature; this is how a dozen commands have theirs in common.
    """
    own = list(inspect.signature(make).parameters.values())
    shared = inspect.signature(act).parameters
    tenant = [shared["tenant"]] if "tenant" in shared else []
    common = [each for name, each in shared.items() if name not in ("tenant", "ordered")]
    keyed = [each.replace(kind=each.KEYWORD_ONLY) for each in (*tenant, *own, *common)]

    def run(**given: Any) -> None:
        act(ordered=make(**{it.name: given.pop(it.name) for it in own}), **given)

    run.__doc__ = make.__doc__
    run.__signature__ = inspect.Signature(keyed)  # type: ignore[attr-defined]
    run.__annotations__ = {each.name: each.annotation for each in keyed}
    return run


def new_order(command: Command, who: str, why: str, key: str, *, in_closed_months: bool) -> Order:
    """The command, given now."""
    from countinghouse.init import now_ms

    return Order(
        command=command,
        now_ms=now_ms(),
        who=who or getpass.getuser(),
        why=why,
        key=key or None,
        in_closed_months=in_closed_months,
    )


def carried_as_json(carried: Carried) -> dict[str, Any]:
    """What a command did, for a script."""
    entry = carried.entry
    return {
        "tenant": carried.tenant,
        "changed": not carried.is_repeat,
        "command": entry.command,
        "key": entry.key,
        "what": entry.what,
        "effective_at": format_instant(entry.effective_ms),
        "recorded_at": format_instant(entry.recorded_ms),
        "from_state": entry.from_state,
        "to_state": entry.to_state,
    }


def _in_words(carried: Carried) -> str:
    entry = carried.entry
    if carried.is_repeat:
        at = format_instant(entry.recorded_ms)
        return f"{carried.tenant}: nothing changed; done at {at} already: {entry.what}"
    return f"{carried.tenant}: {entry.what}; it is {entry.to_state or 'not begun'} now"


def _rows(found: PlanPreview) -> list[tuple[str | None, ...]]:
    return [
        *(_row("goes", line, found) for line in found.removed),
        *(_row("comes", line, found) for line in found.added),
    ]


def _row(change: str, line: InvoiceLine, found: PlanPreview) -> tuple[str | None, ...]:
    from pipelines.invoices.descriptions import describe

    return (
        change,
        describe(line, found.period, found.currency),
        None if line.quantity_micro is None else format_micro(line.quantity_micro),
        _amount(line.amount_minor, found.currency),
    )


def _difference(found: PlanPreview) -> str:
    """One line: what the invoice would cost with the usage so far."""
    totals = [sum(it.amount_minor for it in lines) for lines in (found.before, found.after)]
    before, after = (_amount(total, found.currency) for total in totals)
    starts, ends = format_instant(found.period.start_ms), format_instant(found.period.end_ms)
    return f"{starts} to {ends}, by the usage so far: {before} → {after} {found.currency}"


def _preview_as_json(change: PlanChange, found: PlanPreview) -> dict[str, Any]:
    rows = [dict(zip(LINE_COLUMNS, row, strict=True)) for row in _rows(found)]
    return {
        "what": change.what,
        "effective_at": format_instant(change.effective_ms),
        "period_starts_at": format_instant(found.period.start_ms),
        "period_ends_at": format_instant(found.period.end_ms),
        "currency": found.currency,
        "difference": _amount(found.difference_minor, found.currency),
        "lines": rows,
    }


def _amount(amount_minor: int, currency: str) -> str:
    return format_minor(amount_minor, currency).replace(",", "")
