"""Collecting the month's finalized invoices; the API owns webhooks, this asks and looks."""

import time
from collections.abc import Mapping
from typing import Any

import dagster as dg
from pydantic import Field

from dagster_project import glances, metadata, went_back
from dagster_project.environment import Environment
from dagster_project.invoices import finalized_invoices
from dagster_project.ownership import BILLING, BILLING_GROUP
from dagster_project.partitions import billing_periods, month_check
from dagster_project.resources import LedgerResource, ProvidersResource, now_ms
from pipelines.collection import (
    await_outcomes,
    collect,
    payments_match,
    summarize,
)
from pipelines.settling import settle
from schemas.money import Money
from schemas.payment import PaymentAttempt, ProviderPayment
from schemas.period import format_instant
from schemas.ports import PaymentProvider
from stores.ledger import Ledger

WEBHOOK_ROUNDS = 40
PAUSE_MS = 50
"""Webhooks have two seconds to decide what was just charged, before the provider is asked."""
MOST_LOOKED_AT = 1_000


class CollectionConfig(dg.Config):
    """How a month is collected."""

    again: bool = Field(False, description="Charge again where an attempt has failed.")


@dg.asset(
    partitions_def=billing_periods,
    deps=[finalized_invoices],
    group_name=BILLING_GROUP,
    owners=BILLING,
    kinds={"python"},
)
def payment_collection(
    context: dg.AssetExecutionContext,
    config: CollectionConfig,
    ledger: LedgerResource,
    providers: ProvidersResource,
) -> dg.MaterializeResult[None]:
    """One attempt for each invoice with an amount due, stored before it is made."""
    month = context.partition_key
    at_once = Environment().charges_at_once
    with ledger.open() as books, providers.open() as configured:
        preferred = configured.preferred
        charged = collect(
            month,
            books,
            preferred,
            now_ms,
            context.log.warning,
            others=[each for each in configured.values() if each is not preferred],
            again=config.again,
            at_once=at_once,
        )
        if await_outcomes(books, month, _pause, WEBHOOK_ROUNDS):
            for unanswered in settle(books, configured, now_ms, month, at_once=at_once):
                context.log.warning(f"{unanswered.attempt.id}: {unanswered.reason}")
        went_back.ask(books, configured, month, context.log.warning)
        now = summarize(books, month)
        shown = glances.of_states(books, month) | _failed(books, month)
        shown |= went_back.of_month(books, month)
    counts = {"succeeded": now.succeeded, "failed": now.failed, "open": now.open}
    return dg.MaterializeResult(metadata={"charged_now": charged, **counts, **shown})


def _failed(books: Ledger, month: str) -> dict[str, Any]:
    """Who did not pay and why, the largest amounts first, and how they are asked again."""
    rows: list[metadata.Row] = [
        {
            "tenant": each.tenant,
            "amount": str(Money(each.amount_minor, each.currency)),
            "provider": each.provider,
            "reason": each.failure or "",
            "attempts": each.attempts,
            "last": format_instant(each.last_ms),
        }
        for each in books.failed_payments(month, metadata.MOST_ROWS)
    ]
    if not rows:
        return {"failed payments": "none"}
    again = dg.MetadataValue.md(f"`countinghouse pay {month}`")
    return {"failed payments": metadata.table(rows), "to ask again": again}


@month_check(payment_collection)
def payments_match_invoices(
    context: dg.AssetCheckExecutionContext, ledger: LedgerResource, providers: ProvidersResource
) -> dg.AssetCheckResult:
    """What providers took is what invoices say, once, for each paid; so is what went back."""
    month = context.partition_key
    with ledger.open() as books, providers.open() as configured:
        attempts = books.attempts(month)
        looked_at = attempts[:MOST_LOOKED_AT]
        payments = {attempt.id: _ask(attempt, configured) for attempt in looked_at}
        findings = payments_match(books.invoices(month), attempts, payments)
        findings += went_back.findings(books, configured, month)
    told = {"attempts": len(attempts), "looked up at their providers": len(looked_at)}
    return metadata.verdict(findings, "payments match invoices", metadata=told)


def _ask(
    attempt: PaymentAttempt, providers: Mapping[str, PaymentProvider]
) -> ProviderPayment | None:
    return providers[attempt.provider].fetch(attempt)


def _pause() -> None:
    time.sleep(PAUSE_MS / 1000)
