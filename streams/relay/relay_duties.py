"""What the relay brings from the ledger onto topics: entitlements and billing events.

The warehouse's copies are in `relay_mirror`, what time does to plans in `relay_transitions`. Each
duty sends a batch of what is behind, waits until the other side has it, and then marks it. A crash
between the two costs a repeat, which its reader ignores, and loses nothing.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol

import msgspec
from confluent_kafka import KafkaError, KafkaException, Message, Producer

from pipelines.rating.entitlements import timeline
from schemas.catalog import Catalog
from schemas.entitlement import Entitlements
from schemas.period import BillingPeriod, format_instant
from schemas.ports import Clock
from stores.kafka import KafkaAccess
from stores.kafka_trouble import unreachable
from stores.ledger import BillingEvent, Ledger, SubscribedTenant

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

    def __init__(self, kafka: KafkaAccess, topic: str) -> None:
        self._kafka = kafka
        self._topic = topic
        self._producer = self._opened()

    def _opened(self) -> Producer:
        return Producer(
            {
                **self._kafka.confluent(),
                "enable.idempotence": True,
                "partitioner": "murmur2_random",
                "compression.type": "zstd",
                "linger.ms": 5,
                "delivery.timeout.ms": DELIVERY_SECONDS * 1000,
            }
        )

    def send(self, records: Sequence[tuple[str, bytes]]) -> "Delivery":
        """Send key and value of each record and wait for the broker's word on all of them."""
        delivery = Delivery(self._kafka, self._topic)
        for number, (key, value) in enumerate(records):
            self._produce(key.encode(), value, delivery, number)
        self._producer.flush()
        if delivery.was_the_last:
            self._producer = self._opened()
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

    def __init__(self, kafka: KafkaAccess, topic: str) -> None:
        self.acknowledged: list[int] = []
        self._kafka, self._topic = kafka, topic
        self._error: KafkaError | None = None

    def told(self, number: int, error: KafkaError | None) -> None:
        """The broker has the record of this number in the batch, or there was an error."""
        if error is None:
            self.acknowledged.append(number)
        else:
            self._error = error

    @property
    def was_the_last(self) -> bool:
        """Does its producer take nothing any more? So it is after a broker that lost records."""
        error = self._error
        return error is not None and (error.fatal() or error.code() == KafkaError._FATAL)

    def check(self) -> None:
        """Raise DependencyUnreachable if any record was not taken."""
        if self._error is not None:
            what = f"did not take {self._topic}"
            raise unreachable(self._kafka, self._error, what, then="; it is sent again")


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
