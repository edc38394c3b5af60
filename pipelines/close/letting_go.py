"""Drafts that their month was closed without: let go or approved since, they are numbered next."""

from dataclasses import replace

from pipelines.close.closing import StepReport, finalized, number_passing
from schemas.closing import ClosingState
from schemas.ledger_ports import ClosingLedger
from schemas.ports import Clock


def release_held(
    month: str, tenant: str, ledger: ClosingLedger, clock: Clock, *, seller: str, who: str, why: str
) -> StepReport:
    """Let a held tenant's invoice go, by somebody's word: it is finalized with the next number.

    In a month that is not closed yet it is finalized with the others.

    Raises:
        NotFound: the tenant has no draft in the month. Conflict: the month is closed, and others
            have used the credits that the draft counts on.
    """
    ledger.override(month, tenant, who, why)
    finalize_rest(month, ledger, clock, seller=seller)
    return replace(finalized(month, ledger, written=True), step="release_held")


def finalize_rest(month: str, ledger: ClosingLedger, clock: Clock, *, seller: str) -> int:
    """In a closed month, finalize the drafts that pass by now; how many.

    In one that is not closed yet they are finalized with the others.
    """
    closing = ledger.closing(month)
    if closing is None or closing.state is not ClosingState.CLOSED:
        return 0
    return number_passing(month, ledger, clock, seller)
