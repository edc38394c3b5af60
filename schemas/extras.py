"""What a tenant has beside its plan: coupons redeemed, add-ons, one-off items, prepaid credits.

Also the columns by which the ledger hands them to a month's close, for all tenants at once.
"""

from dataclasses import dataclass
from typing import Literal

from schemas.tables import ArrowStream
from schemas.tax import UNKNOWN, Buyer

Kept = Literal["added", "unchanged"]
"""What a command that may be repeated did."""


@dataclass(frozen=True, slots=True)
class Redemption:
    """A coupon in force for the billing periods that reach into [starts, ends).

    Its terms stay those of the price list's version by which it was redeemed.
    """

    tenant: str
    coupon: str
    catalog_version: int
    starts_ms: int
    ends_ms: int | None = None


@dataclass(frozen=True, slots=True)
class BookedAddOn:
    """So many of an add-on over [starts, ends), at the fee of a version of the price list."""

    tenant: str
    key: str
    add_on: str
    catalog_version: int
    quantity: int
    starts_ms: int
    ends_ms: int | None = None


@dataclass(frozen=True, slots=True)
class OneOffItem:
    """Something charged once, on the invoice of a month."""

    tenant: str
    key: str
    month: str
    currency: str
    amount_minor: int
    description: str


USUAL_PRIORITY = 50


@dataclass(frozen=True, slots=True)
class CreditGrant:
    """Money paid in advance or given, in one currency, usable over [granted, expires).

    Credits are used up by expiry, the earliest first; then by `priority`, the lowest first; then
    by age.
    """

    tenant: str
    key: str
    currency: str
    amount_minor: int
    granted_ms: int
    expires_ms: int | None = None
    priority: int = USUAL_PRIORITY


@dataclass(frozen=True, slots=True)
class CreditBalance:
    """What became of a grant: `amount = applied + expired + left`, in minor units.

    `reserved_minor` is the part of what is left that drafts already count on.
    """

    grant: CreditGrant
    applied_minor: int
    expired_minor: int
    left_minor: int
    reserved_minor: int


@dataclass(frozen=True, slots=True)
class Credit:
    """A grant and what of it an invoice may use, as this invoice finds it."""

    grant: CreditGrant
    left_minor: int


@dataclass(frozen=True, slots=True)
class Given:
    """All that one tenant has beside its plan, as a month's close finds it."""

    buyer: Buyer = UNKNOWN
    redemptions: tuple[Redemption, ...] = ()
    add_ons: tuple[BookedAddOn, ...] = ()
    items: tuple[OneOffItem, ...] = ()
    credits: tuple[Credit, ...] = ()


NOTHING = Given()
"""A tenant with its plan alone."""

_SPAN = {"starts_ms": "int64", "ends_ms": "int64"}
BUYER_COLUMNS = dict.fromkeys(("tenant", "country", "region", "tax_id"), "string")
REDEMPTION_COLUMNS = {
    "tenant": "string",
    "coupon": "string",
    "catalog_version": "int64",
    **_SPAN,
}
ADD_ON_COLUMNS = {
    "tenant": "string",
    "key": "string",
    "add_on": "string",
    "catalog_version": "int64",
    "quantity": "int64",
    **_SPAN,
}
ITEM_COLUMNS = {
    "tenant": "string",
    "key": "string",
    "month": "string",
    "currency": "string",
    "amount_minor": "int64",
    "description": "string",
}
CREDIT_COLUMNS = {
    "tenant": "string",
    "key": "string",
    "currency": "string",
    "amount_minor": "int64",
    "granted_ms": "int64",
    "expires_ms": "int64",
    "priority": "int64",
    "left_minor": "int64",
}


@dataclass(frozen=True, slots=True)
class Extras:
    """All tenants' rows of the columns above; ends and expiries may be null, which is never.

    Only buyers of whom something is known, and only what reaches into the months concerned.
    """

    buyers: ArrowStream
    redemptions: ArrowStream
    add_ons: ArrowStream
    items: ArrowStream
    credits: ArrowStream
