"""The stores and the payment providers of a run; opened in a step, closed with it.

An empty field means what the environment says, read when a step asks for it. So definitions, which
every Dagster process loads and keeps in its snapshots, hold no address and no secret.
"""

import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import replace
from typing import Annotated

import dagster as dg
from clickhouse_connect.driver.client import Client
from pydantic import Field

from dagster_project.environment import Environment
from payments.registry import Providers
from schemas.errors import BillingError
from schemas.evidence import EventReader
from schemas.ports import Log, UsageReader
from stores import ledger, log
from stores.ledger import Ledger
from stores.warehouse import client
from stores.warehouse.events import WarehouseEvents
from stores.warehouse.usage import WarehouseUsage


def now_ms() -> int:
    """The machine's clock."""
    return time.time_ns() // 1_000_000


PROCESS_TAG = "billing/process"
"""Tag of a run that lives in a command's process: the command holds the month for all its runs."""
READS_ONLY = {"billing/reads_only": "true"}
"""Tag of jobs that need no month to themselves."""


class LedgerResource(dg.ConfigurableResource[None]):
    """The ledger. A run that writes has its month to itself from its first step to its end."""

    url: Annotated[str, Field(description="Without a password; empty: COUNTINGHOUSE_LEDGER.")] = ""

    @contextmanager
    def yield_for_execution(self, context: dg.InitResourceContext) -> Iterator[None]:
        """Hold the run's month; a run that Dagster starts comes after whoever has it."""
        with ExitStack() as held, super().yield_for_execution(context) as resource:
            run = context.run
            if run and (month := _month_to_hold(run.tags)):
                with suppress(BillingError):  # a ledger that cannot be opened is its step's to tell
                    books = held.enter_context(self.open())
                    held.enter_context(books.alone(month, wait=True))(f"run {run.run_id}")
            yield resource

    @contextmanager
    def open(self) -> Iterator[Ledger]:
        """Connect, and give the connections back."""
        with closing(ledger.connect(self.url or Environment().ledger_url)) as opened:
            yield opened


def _month_to_hold(tags: Mapping[str, str]) -> str | None:
    is_held = PROCESS_TAG in tags or READS_ONLY.keys() <= tags.keys()
    return None if is_held else tags.get("dagster/partition")


class WarehouseResource(dg.ConfigurableResource[None]):
    """The usage in ClickHouse."""

    url: Annotated[
        str, Field(description="Without a password; empty: COUNTINGHOUSE_CLICKHOUSE.")
    ] = ""

    @contextmanager
    def open(self) -> Iterator[UsageReader]:
        """Connect, and close the connection."""
        with self.connected() as opened:
            yield WarehouseUsage(opened, Environment().dedupe_window)

    @contextmanager
    def events(self) -> Iterator[EventReader]:
        """Connect to read the events themselves, and close the connection."""
        with self.connected() as opened:
            yield WarehouseEvents(opened)

    @contextmanager
    def connected(self) -> Iterator[Client]:
        """The connection alone."""
        with closing(client.connect(self.url or Environment().clickhouse_url)) as opened:
            yield opened


class LogResource(dg.ConfigurableResource[None]):
    """How far `usage.events` reaches, and has been read."""

    kafka_servers: Annotated[
        str, Field(description="Bootstrap servers; empty: COUNTINGHOUSE_KAFKA.")
    ] = ""

    @contextmanager
    def open(self, books: Ledger) -> Iterator[Log]:
        """The log of the ledger's live topic. Raises Conflict: it has none yet."""
        found = Environment().kafka_access
        servers = self.kafka_servers or found.servers
        yield log.live_log(books, replace(found, servers=servers))


class ProvidersResource(dg.ConfigurableResource[None]):
    """The configured payment providers."""

    prefer: Annotated[
        str, Field(description="The provider of new attempts; empty: a real one, else the sandbox.")
    ] = ""

    @contextmanager
    def open(self) -> Iterator[Providers]:
        """Build them, and close their connections."""
        settings = Environment().providers
        with closing(Providers.from_settings(settings, prefer=self.prefer)) as providers:
            yield providers
