"""Commands on plans, wired: the ledger, the clock, the tenant's name, and for a preview usage."""

from contextlib import closing
from dataclasses import dataclass

from countinghouse import init
from countinghouse.cli.nearest import suggesting
from countinghouse.settings import Settings
from pipelines.plans.file_currencies import DEFAULT_CURRENCY
from pipelines.plans.plan_commands import Command
from pipelines.plans.plan_life import PlanChange, carry_out
from pipelines.plans.plan_records import Carried, Order, change_plan
from pipelines.reports.plan_preview import PlanPreview, preview_change
from schemas.card import card_fault
from schemas.errors import InvalidInput, NotFound
from schemas.event import MAX_NAME
from schemas.subscription import GOOD_CARD, Subscription
from stores import ledger
from stores.ledger import Ledger


@dataclass(frozen=True, slots=True)
class Profile:
    """What a new tenant pays in, and by; empty is the usual."""

    currency: str = ""
    card: str = ""


def order_change(tenant: str, order: Order, profile: Profile | None = None) -> Carried:
    """Carry out a command; `profile` is of a tenant that may be new, and so only of a start.

    Raises:
        NotFound: no such tenant; names that come near are told.
    """
    with closing(ledger.connect(Settings().ledger_url)) as books:
        opening = None if profile is None else _opening(books, tenant, profile)
        try:
            return change_plan(books, tenant, order, opening)
        except NotFound:
            with suggesting(tenant, books.tenant_names, "subscriptions list"):
                raise


def preview_order(
    tenant: str, command: Command, profile: Profile | None = None
) -> tuple[PlanChange, PlanPreview]:
    """What a command would do, and the lines of the running invoice that it would change."""
    from countinghouse.wiring import usage_log, usage_reader

    settings, now_ms = Settings(), init.now_ms()
    with closing(ledger.connect(settings.ledger_url)) as books:
        before, is_owing = _stored(books, tenant, profile)
        change = carry_out(before, command, now_ms, books.catalogs(), is_owing=is_owing)
        with usage_reader(settings) as usage:
            as_of = usage_log(settings).landed()
            return change, preview_change(before, change.subscription, now_ms, books, usage, as_of)


def _stored(books: Ledger, tenant: str, profile: Profile | None) -> tuple[Subscription, bool]:
    try:
        stored = books.subscribed(tenant)
    except NotFound:
        if profile is not None:
            return _opening(books, tenant, profile), False
        with suggesting(tenant, books.tenant_names, "subscriptions list"):
            raise
    return stored.subscription, stored.state == "past_due"


def _opening(books: Ledger, tenant: str, profile: Profile) -> Subscription:
    """What a tenant without subscription begins with; what a known one has is not changed."""
    if not tenant or len(tenant) > MAX_NAME:
        raise InvalidInput(f"a tenant's name has 1 to {MAX_NAME} characters")
    try:
        known = books.subscribed(tenant).subscription
    except NotFound:
        return _blank(books, tenant, profile)
    if profile.currency and profile.currency != known.currency:
        raise InvalidInput(f"{tenant} has another currency; leave --currency out")
    if profile.card and profile.card != known.card:
        remedy = f"run `countinghouse tenants card {tenant} CARD`"
        raise InvalidInput(f"{tenant} has another card; leave --card out, and {remedy}")
    return known


def _blank(books: Ledger, tenant: str, profile: Profile) -> Subscription:
    _, catalog = books.catalog()
    currency = profile.currency or DEFAULT_CURRENCY
    if currency not in catalog.currencies:
        offered = ", ".join(catalog.currencies)
        raise InvalidInput(f"the price list has no {currency}; say --currency: {offered}")
    if profile.card and (fault := card_fault(profile.card)):
        raise InvalidInput(f"--card: {fault}")
    return Subscription(f"sub_{tenant}", tenant, currency, profile.card or GOOD_CARD, ())
