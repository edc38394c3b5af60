"""Calls of Stripe's library: again at its rate limit, page by page, errors in our words."""

import time
from collections.abc import Iterator
from typing import Any

import stripe

from schemas.errors import BillingError, Conflict, DependencyUnreachable, InvalidInput

RATE_LIMIT_PAUSES = (1, 2, 4)
"""Seconds before each new try of a call that Stripe refused for its rate: the library has none."""
PAGE = 100
"""Stripe's largest page."""


def asking(call: Any, *arguments: Any) -> Any:
    """Make a call, and name what went wrong in our words; declines and refusals pass through.

    Raises:
        DependencyUnreachable: no answer, a fault of Stripe, or its rate limit.
        Conflict: the key was used for another charge.
        InvalidInput: the account is refused.
    """
    for pause in (*RATE_LIMIT_PAUSES, None):
        try:
            return call(*arguments)
        except stripe.RateLimitError as error:
            if pause is None:
                raise DependencyUnreachable("Stripe's rate limit: collect again later") from error
            time.sleep(pause)
        except (stripe.CardError, stripe.InvalidRequestError):
            raise
        except stripe.StripeError as error:
            raise _named(error) from error
    raise AssertionError("unreachable")


def listing(call: Any, params: dict[str, Any]) -> Iterator[Any]:
    """What a call lists, the newest first; each page is asked for when it is due.

    Raises:
        BillingError: as `asking`.
    """
    page = asking(call, {**params, "limit": PAGE})
    while not page.is_empty:
        yield from page
        page = asking(page.next_page)


def _named(error: stripe.StripeError) -> BillingError:
    text = error.user_message or str(error)
    if isinstance(error, stripe.AuthenticationError | stripe.PermissionError):
        return InvalidInput(f"Stripe refuses the key: check COUNTINGHOUSE_STRIPE_API_KEY ({text})")
    if isinstance(error, stripe.IdempotencyError):
        return Conflict(f"Stripe knows this key with another charge: {text}")
    return DependencyUnreachable(f"Stripe does not answer: {text}")
