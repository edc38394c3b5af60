"""Instants as a person writes them on the command line: now, the period's end, a date, a time."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from pipelines.plans.plan_commands import When
from schemas.errors import InvalidInput
from schemas.period import to_ms

AtOption = Annotated[
    str, typer.Option("--at", help="now, period-end, or a time such as 2026-11-01T12:00:00Z.")
]


def moment(text: str, option: str = "--at") -> When:
    """What was written after `--at`."""
    if text == "now":
        return "now"
    return "period-end" if text == "period-end" else instant(text, option)


def instant(text: str, option: str) -> int:
    """Epoch milliseconds of a date or time; without a zone it is UTC."""
    try:
        written = datetime.fromisoformat(text)
        return to_ms(written if written.tzinfo else written.replace(tzinfo=UTC))
    except (ValueError, OverflowError):
        raise InvalidInput(
            f"{option}: {text!r} is not a time; write it like 2026-11-01 or 2026-11-01T12:00:00Z"
        ) from None
