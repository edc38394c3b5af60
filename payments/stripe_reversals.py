"""Stripe's refunds and disputes as reversals.

An inquiry (`warning_…`) takes no money, so it is none; should it become a dispute, it is the same
object, and there from then on. Stripe's fees are no matter of the customer's payment.
"""

from collections.abc import Iterator
from typing import Any

import stripe

from payments.stripe_calls import listing
from schemas.errors import InvalidInput
from schemas.reversal import Reversal, ReversalKind, ReversalState

REFUNDS = {
    "succeeded": ReversalState.SETTLED,
    "failed": ReversalState.UNDONE,
    "canceled": ReversalState.UNDONE,
}
"""States of a refund that decide it; all others are on the way."""
DISPUTES = {
    "lost": ReversalState.SETTLED,
    "won": ReversalState.UNDONE,
    "prevented": ReversalState.UNDONE,
}
"""States of a dispute that decide it; while it is open, also in an appeal, Stripe has the money."""
INQUIRY = "warning_"


def reversals(
    client: stripe.StripeClient, payment: str | None, since_ms: int
) -> Iterator[Reversal]:
    """Those of a PaymentIntent, or of all, made since an instant, as they stand now.

    Raises:
        DependencyUnreachable: Stripe does not answer. InvalidInput: it refuses the question.
    """
    since = {"created": {"gte": since_ms // 1000}} if since_ms else {}
    params = since | ({"payment_intent": payment} if payment else {})
    try:
        for refund in listing(client.v1.refunds.list, params):
            yield from _told(refund, ReversalKind.REFUND, REFUNDS)
        for dispute in listing(client.v1.disputes.list, params):
            if not dispute.status.startswith(INQUIRY):
                yield from _told(dispute, ReversalKind.DISPUTE, DISPUTES)
    except stripe.InvalidRequestError as error:
        text = error.user_message or error
        raise InvalidInput(f"Stripe does not say what went back: {text}") from error


def _told(it: Any, kind: ReversalKind, decided: dict[str, ReversalState]) -> Iterator[Reversal]:
    """One reversal; none where there is no PaymentIntent, for then it is of no charge of ours."""
    if it.payment_intent is None:
        return
    yield Reversal(
        payment=it.payment_intent,
        reference=it.id,
        kind=kind,
        state=decided.get(it.status, ReversalState.PENDING),
        amount_minor=it.amount,
        currency=it.currency.upper(),
        at_ms=it.created * 1000,
    )
