"""October on a real SQLite ledger, beside a warehouse, a log and a provider in memory."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import dagster as dg

from dagster_project.definitions import defs
from dagster_project.due import billed_by_six
from dagster_project.resources import (
    LedgerResource,
    LogResource,
    ProvidersResource,
    WarehouseResource,
)
from payments.registry import Providers
from pipelines.catalog import catalog_file
from pipelines.checks.reconciliation import rows_of_table
from pipelines.close.closing import (
    aggregate_usage,
    draft_invoices,
    finalize,
    prorate_fees,
    rate_charges,
    reconcile,
)
from pipelines.close.opening import open_closing
from schemas.period import BillingPeriod
from schemas.subscription import Subscription
from schemas.vector import Vector
from stores import ledger as ledgers
from stores.ledger import Ledger
from tests.builders import a_subscription, at, llm_tokens, units
from tests.bundles import NoEvents
from tests.fake_warehouse import FakeLog, FakeWarehouse, Used
from tests.unit.payments.fakes import ProviderInMemory

MONTH = "2026-10"
CLOSE = ["monthly_usage", "charges", "prorations", "invoices", "reconciliation"]
COLLECT = ["finalized_invoices", "payment_collection"]
END = Vector({(1, 0): 10})


def october() -> list[Used]:
    """The design's second example, and an enterprise tenant who stays within its pool."""
    return [
        Used("design", "tokens", at("10-10"), units(60_000), offset=0),
        Used("design", "tokens", at("10-20"), units(700_000), offset=1),
        Used("upgrade", "tokens", at("10-20"), units(5_000), offset=2),
    ]


def subscribers() -> list[Subscription]:
    """Free to pro on the 16th; pro to enterprise on the 11th."""
    return [
        a_subscription("free 09-01, pro 10-16", "design"),
        a_subscription("pro 09-01, enterprise 10-11", "upgrade"),
    ]


@dataclass
class Month:
    """The parts of a month's run, and the runs."""

    url: str
    warehouse: FakeWarehouse = field(default_factory=lambda: FakeWarehouse(october(), END))
    log: FakeLog = field(default_factory=lambda: FakeLog(END, END))
    provider: ProviderInMemory = field(default_factory=ProviderInMemory)
    webhooks_come: bool = True

    @property
    def ledger(self) -> Ledger:
        return ledgers.connect(self.url)

    def run(
        self, *assets: str, config: dict[str, Any] | None = None, key: str = MONTH
    ) -> dg.ExecuteInProcessResult:
        """Materialize a month's assets with their checks, in one run."""
        keys = [dg.AssetKey(name) for name in assets]
        found = [a for a in defs.assets or [] if getattr(a, "key", None) in keys]
        of_months = [c for c in defs.asset_checks or [] if c is not billed_by_six]
        checks = [c for c in of_months if _asset_of(c) in keys]
        assert len(found) == len(keys)
        return dg.materialize(
            [*found, *checks],  # type: ignore[list-item]
            partition_key=key,
            resources=self.resources(),
            run_config=config,
            raise_on_error=False,
        )

    def resources(self) -> dict[str, Any]:
        """The run's resources, in memory but for the ledger."""
        month = self

        class Warehouse(WarehouseResource):
            @contextmanager
            def open(self) -> Iterator[FakeWarehouse]:
                yield month.warehouse

            @contextmanager
            def events(self) -> Iterator[NoEvents]:
                yield NoEvents()

        class Log(LogResource):
            @contextmanager
            def open(self, books: Ledger) -> Iterator[FakeLog]:
                yield month.log

        class OneProvider(ProvidersResource):
            @contextmanager
            def open(self) -> Iterator[Providers]:
                yield Providers({"sandbox": month.provider})

        return {
            "ledger": LedgerResource(url=self.url),
            "warehouse": Warehouse(),
            "log": Log(),
            "providers": OneProvider(),
        }

    def contents(self) -> list[object]:
        """What the ledger holds of the month, to compare."""
        books = self.ledger
        return [
            books.closing(MONTH),
            books.invoices(MONTH),
            rows_of_table(books.reconciliation(MONTH)),
            books.attempts(MONTH),
        ]


def a_month(folder: Path) -> Month:
    """October, over and complete, not yet closed."""
    month = an_empty_month(folder)
    month.ledger.save_subscriptions(subscribers(), 0, "test")
    return month


def an_empty_month(folder: Path) -> Month:
    """A ledger with the price list and nobody who is billed by it."""
    url = f"sqlite:///{folder / 'ledger.db'}"
    ledgers.migrate(url)
    month = Month(url)
    month.ledger.apply_catalog(catalog_file.canonical(llm_tokens()), 0)
    return month


def close_bare(month: Month, key: str) -> None:
    """The use cases one after the other, without Dagster."""
    drafted_bare(month, key)
    now_ms = BillingPeriod.month(key).end_ms
    finalize(key, month.ledger, lambda: now_ms, seller="a seller")


def drafted_bare(month: Month, key: str) -> None:
    """The same up to reconciled drafts."""
    books, usage, log = month.ledger, month.warehouse, month.log
    now_ms = BillingPeriod.month(key).end_ms
    open_closing(key, books, log, usage, lambda: now_ms, code_version="1", grace_ms=0)
    aggregate_usage(key, books, usage)
    rate_charges(key, books)
    prorate_fees(key, books)
    draft_invoices(key, books)
    reconcile(key, books, usage, log, max_held=1)


def check_of(result: dg.ExecuteInProcessResult, name: str) -> Any:
    """A check's evaluation in a run."""
    found = [e for e in result.get_asset_check_evaluations() if e.check_name == name]
    assert len(found) == 1, [e.check_name for e in result.get_asset_check_evaluations()]
    return found[0]


def materialized(result: dg.ExecuteInProcessResult) -> list[str]:
    """The assets of a run that were materialized, in order."""
    events = result.get_asset_materialization_events()
    return [event.asset_key.to_user_string() for event in events if event.asset_key]


def metadata_of(result: dg.ExecuteInProcessResult, asset: str) -> dict[str, Any]:
    """What an operator sees of an asset's materialization."""
    [event] = [
        event
        for event in result.get_asset_materialization_events()
        if event.asset_key == dg.AssetKey(asset)
    ]
    return {name: each.value for name, each in event.materialization.metadata.items()}


def _asset_of(check: Any) -> dg.AssetKey:
    key: dg.AssetKey = next(iter(check.check_specs)).asset_key
    return key
