"""`countinghouse invoices hold | approve`: a person's look at drafts, before they are finalized.

What a person holds, `release` lets go.
"""

import json
from contextlib import closing
from typing import Annotated

import typer

from countinghouse.cli.beside import who as who_asks
from countinghouse.cli.bundle import renew
from countinghouse.cli.options import JsonOption
from countinghouse.settings import Settings
from schemas.errors import InvalidInput

MonthArgument = Annotated[str, typer.Argument(help="The month, like 2026-10.")]
WhyOption = Annotated[str, typer.Option("--why", "--reason", help="It stays in the audit log.")]
WhoOption = Annotated[str, typer.Option("--who", "--by", help="Who decides it; default: you.")]


def hold(
    month: MonthArgument,
    tenant: Annotated[str, typer.Argument(help="The tenant.")],
    why: WhyOption,
    who: WhoOption = "",
    as_script: JsonOption = False,
) -> None:
    """Keep a tenant's drafts back, also when they are made anew, until `release` lets them go."""
    from countinghouse.closing_run import check_month
    from stores import ledger

    check_month(month)
    with closing(ledger.connect(Settings().ledger_url)) as books:
        books.hold_back(month, tenant, who or who_asks(), why)
    told = {"month": month, "tenant": tenant, "held": why}
    typer.echo(json.dumps(told) if as_script else f"{tenant}: held back in {month}")


def approve(
    month: MonthArgument,
    why: WhyOption,
    tenants: Annotated[list[str] | None, typer.Argument(help="These tenants.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Every draft that is not held.")] = False,
    who: WhoOption = "",
    as_script: JsonOption = False,
) -> None:
    """Approve drafts as they are; one that is made anew and comes out different needs it again.

    With COUNTINGHOUSE_APPROVAL only approved drafts are finalized. In a month that is already
    closed they are finalized at once.
    """
    from countinghouse.closing_run import check_month
    from countinghouse.init import now_ms
    from pipelines.close.letting_go import finalize_rest
    from stores import ledger

    check_month(month)
    if every == bool(tenants):
        raise InvalidInput("name tenants, or give --all")
    settings = Settings()
    with closing(ledger.connect(settings.ledger_url)) as books:
        count = books.approve(month, None if every else tenants, who or who_asks(), why)
        made = finalize_rest(month, books, now_ms, seller=settings.seller)
        left = books.unapproved(month)
    told = {"month": month, "approved": count, "unapproved": left, "finalized": made}
    then = f"{made:,} finalized, `pay {month}` collects" if made else f"`close {month}` goes on"
    sentence = f"{month}: {count:,} drafts approved, {left:,} not yet; {then}"
    typer.echo(json.dumps(told) if as_script else sentence)
    if made:
        renew(settings, month)
