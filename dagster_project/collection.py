"""Collecting the month's finalized invoices; the API owns webhooks, this asks and looks."""

import time
from collections.abc import Mapping

import dagster as dg
from pydantic import Field

from dagster_project import metadata
from dagster_project.invoices import finalized_invoices
from dagster_project.partitions import billing_periods
from dagster_project.resources import LedgerResource, ProvidersResource, now_ms
from pipelines.collection import (
    await_outcomes,
    collect,
    payments_match,
    settle,
    summarize,
)
from schemas.payment import PaymentAttempt, ProviderPayment
from schemas.ports import PaymentProvider

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
    group_name="billing",
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
    with ledger.open() as books, providers.open() as configured:
        charged = collect(
            month, books, configured.preferred, now_ms, context.log.warning, again=config.again
        )
        if await_outcomes(books, month, _pause, WEBHOOK_ROUNDS):
            for unanswered in settle(books, configured, now_ms, month):
                context.log.warning(f"{unanswered.attempt.id}: {unanswered.reason}")
        now = summarize(books, month)
    return dg.MaterializeResult(
        metadata={
            "charged_now": charged,
            "succeeded": now.succeeded,
            "failed": now.failed,
            "open": now.open,
        }
    )


@dg.asset_check(asset=payment_collection)
def payments_match_invoices(
    context: dg.AssetCheckExecutionContext, ledger: LedgerResource, providers: ProvidersResource
) -> dg.AssetCheckResult:
    """What providers took is what invoices say, once, for each paid invoice."""
    month = context.partition_key
    with ledger.open() as books, providers.open() as configured:
        attempts = books.attempts(month)
        looked_at = attempts[:MOST_LOOKED_AT]
        payments = {attempt.id: _ask(attempt, configured) for attempt in looked_at}
        findings = payments_match(books.invoices(month), attempts, payments)
    told = {"attempts": len(attempts), "looked up at their providers": len(looked_at)}
    return metadata.verdict(findings, "payments match invoices", metadata=told)


def _ask(
    attempt: PaymentAttempt, providers: Mapping[str, PaymentProvider]
) -> ProviderPayment | None:
    return providers[attempt.provider].fetch(attempt)


def _pause() -> None:
    time.sleep(PAUSE_MS / 1000)
