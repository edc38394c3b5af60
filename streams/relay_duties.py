"""What the relay brings from the ledger into the world: entitlements, billing events, copies.

Each duty sends a batch of what is behind, waits until the other side has it, and then marks it.
A crash between the two costs a repeat, which its reader ignores, and loses nothing.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Protocol

import msgspec
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError
from confluent_kafka import KafkaError, KafkaException, Message, Producer

from pipelines.entitlements import timeline
from schemas.catalog import Catalog
from schemas.entitlement import Entitlements
from schemas.errors import DependencyUnreachable
from schemas.invoice import Invoice
from schemas.period import BillingPeriod, format_instant
from schemas.ports import Clock
from stores.ledger import BillingEvent, Ledger, SubscribedTenant
from stores.warehouse import client as warehouse
from stores.warehouse.mirror import InvoiceRow, LineRow, Mirror, SubscriptionRow

DELIVERY_SECONDS = 10


class Duty(Protocol):
    """One thing that is kept up to date."""

    name: str

    def step(self) -> int:
        """Send and mark one batch of what is behind; how many, 0 when nothing is.

        Raises:
            DependencyUnreachable: the other side does not take it; what it took is marked.
        """


class Outlet:
    """A topic that records are sent to and acknowledged on."""

    def __init__(self, kafka_servers: str, topic: str) -> None:
        self._servers = kafka_servers
        self._topic = topic
        self._producer = Producer(
            {
                "bootstrap.servers": kafka_servers,
                "enable.idempotence": True,
                "partitioner": "murmur2_random",
                "compression.type": "zstd",
                "linger.ms": 5,
                "delivery.timeout.ms": DELIVERY_SECONDS * 1000,
            }
        )

    def send(self, records: Sequence[tuple[str, bytes]]) -> "Delivery":
        """Send key and value of each record and wait for the broker's word on all of them."""
        delivery = Delivery(f"Kafka at {self._servers} did not take {self._topic}")
        for number, (key, value) in enumerate(records):
            self._produce(key.encode(), value, delivery, number)
        self._producer.flush()
        return delivery

    def _produce(self, key: bytes, value: bytes, delivery: "Delivery", number: int) -> None:
        def told(error: KafkaError | None, _: Message) -> None:
            delivery.told(number, error)

        while True:
            try:
                self._producer.produce(self._topic, value, key, on_delivery=told)
            except BufferError:
                self._producer.poll(1)
            except KafkaException as failure:
                delivery.told(number, failure.args[0])
                return
            else:
                return


class Delivery:
    """What became of a batch of records."""

    def __init__(self, complaint: str) -> None:
        self.acknowledged: list[int] = []
        self._complaint = complaint
        self._error: KafkaError | None = None

    def told(self, number: int, error: KafkaError | None) -> None:
        """The broker has the record of this number in the batch, or there was an error."""
        if error is None:
            self.acknowledged.append(number)
        else:
            self._error = error

    def check(self) -> None:
        """Raise DependencyUnreachable if any record was not taken."""
        if self._error is not None:
            raise DependencyUnreachable(
                f"{self._complaint} ({self._error.str()}): it is sent again; "
                "check the broker, or set COUNTINGHOUSE_KAFKA"
            )


class EntitlementsDuty:
    """Every tenant's timeline is on the topic, in its newest version, for the running month."""

    name = "entitlements"

    def __init__(self, ledger: Ledger, outlet: Outlet, clock: Clock, batch: int) -> None:
        self._ledger = ledger
        self._outlet = outlet
        self._clock = clock
        self._batch = batch
        self._month = ""
        self._catalogs: dict[int, Catalog] = {}

    def step(self) -> int:
        """See `Duty`."""
        period = BillingPeriod.month_of(self._clock())
        if period.key != self._month:
            self._ledger.roll_over(period.key)
            self._month = period.key
        behind = self._ledger.behind_entitlements(self._batch)
        if not behind:
            return 0
        if self._ledger.catalog_document()[0] not in self._catalogs:
            self._catalogs = self._ledger.catalogs()
        messages = [entitlements_of(each, self._catalogs, period) for each in behind]
        delivery = self._outlet.send([(it.tenant, msgspec.json.encode(it)) for it in messages])
        sent = [behind[number] for number in delivery.acknowledged]
        self._ledger.mark_entitlements_published(
            [(each.tenant, each.entitlement_version) for each in sent]
        )
        delivery.check()
        return len(sent)


def entitlements_of(
    subscribed: SubscribedTenant, catalogs: Mapping[int, Catalog], period: BillingPeriod
) -> Entitlements:
    """A tenant's message when `period` is the running month; `catalogs` are all versions."""
    entries = timeline(subscribed.subscription, catalogs, period)
    return Entitlements(subscribed.tenant, subscribed.entitlement_version, entries)


class BillingEventsDuty:
    """Every billing event is on the topic, at least once; its id tells a repeat."""

    name = "billing events"

    def __init__(self, ledger: Ledger, outlet: Outlet, batch: int) -> None:
        self._ledger = ledger
        self._outlet = outlet
        self._batch = batch

    def step(self) -> int:
        """See `Duty`."""
        behind = self._ledger.behind_events(self._batch)
        if not behind:
            return 0
        delivery = self._outlet.send([(event.tenant, _message(event)) for event in behind])
        self._ledger.mark_events_published([behind[n].id for n in delivery.acknowledged])
        delivery.check()
        return len(behind)


class MirrorDuty:
    """The warehouse has a copy of every final invoice and every subscription."""

    name = "mirror"

    def __init__(self, ledger: Ledger, clickhouse_url: str, batch: int) -> None:
        self._ledger = ledger
        self._url = clickhouse_url
        self._batch = batch
        self._client: Client | None = None

    def step(self) -> int:
        """See `Duty`."""
        invoices = self._ledger.behind_mirror(self._batch)
        subscriptions = self._ledger.subscriptions_behind_mirror(self._batch)
        if invoices or subscriptions:
            self._write(invoices, subscriptions)
        self._ledger.mark_mirrored([(invoice.id, version) for invoice, version in invoices])
        self._ledger.mark_subscriptions_mirrored(
            [(each.subscription.id, each.version) for each in subscriptions]
        )
        return len(invoices) + len(subscriptions)

    def _write(
        self,
        invoices: Sequence[tuple[Invoice, int]],
        subscriptions: Sequence[SubscribedTenant],
    ) -> None:
        with self._connected() as client:
            mirror = Mirror(client)
            mirror.write_subscriptions([_subscription_row(each) for each in subscriptions])
            mirror.write_invoices(
                [_invoice_row(invoice, version) for invoice, version in invoices],
                [row for invoice, version in invoices for row in _line_rows(invoice, version)],
            )

    @contextmanager
    def _connected(self) -> Iterator[Client]:
        """The client, kept while all is well, made anew after a failure."""
        client, self._client = self._client or warehouse.connect(self._url), None
        try:
            with warehouse.reachable(self._url):
                yield client
        except ClickHouseError as error:
            client.close()
            cause = str(error).splitlines()[0]
            raise DependencyUnreachable(
                f"the warehouse {warehouse.address(self._url)} does not take the ledger's copies"
                f" ({cause}); run `countinghouse up`, it makes missing tables"
            ) from error
        except DependencyUnreachable:
            client.close()
            raise
        self._client = client


def _message(event: BillingEvent) -> bytes:
    return msgspec.json.encode(
        {
            "id": event.id,
            "type": event.type,
            "tenant": event.tenant,
            "at": format_instant(event.at_ms),
            "data": msgspec.Raw(event.data.encode()),
        }
    )


def _subscription_row(stored: SubscribedTenant) -> SubscriptionRow:
    subscription = stored.subscription
    plans = tuple((it.plan, it.starts_ms, it.ends_ms) for it in subscription.segments)
    return SubscriptionRow(stored.tenant, stored.version, subscription.currency, plans)


def _invoice_row(invoice: Invoice, version: int) -> InvoiceRow:
    return InvoiceRow(
        invoice=invoice.id,
        tenant=invoice.tenant,
        subscription=invoice.subscription,
        month=invoice.month,
        number=invoice.number,
        currency=invoice.currency,
        total_minor=invoice.total_minor,
        state=invoice.state.value,
        issued_ms=invoice.issued_ms,
        due_ms=invoice.due_ms,
        held=invoice.held,
        version=version,
    )


def _line_rows(invoice: Invoice, version: int) -> list[LineRow]:
    return [
        LineRow(
            invoice=invoice.id,
            ordinal=ordinal,
            tenant=invoice.tenant,
            month=invoice.month,
            kind=line.kind,
            meter=line.meter,
            plan=line.plan,
            quantity_micro=line.quantity_micro,
            unit_price_pico=line.unit_price_pico,
            amount_minor=line.amount_minor,
            currency=invoice.currency,
            period_start_ms=line.period.start_ms,
            period_end_ms=line.period.end_ms,
            version=version,
            value=line.value,
        )
        for ordinal, line in enumerate(invoice.lines, 1)
    ]
