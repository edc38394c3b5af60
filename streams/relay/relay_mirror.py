"""The relay's copies in the warehouse: final invoices and subscriptions, for analytics SQL.

What a copy holds is in `stores.warehouse.mirror`; here is what is behind, and how it is marked.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError

from schemas.errors import DependencyUnreachable
from schemas.invoice import Invoice
from stores.ledger import Ledger, SubscribedTenant
from stores.warehouse import client as warehouse
from stores.warehouse.mirror import InvoiceRow, LineRow, Mirror, SegmentRow, SubscriptionRow


class MirrorDuty:
    """The warehouse has a copy of every final invoice and every subscription."""

    name = "mirror"

    def __init__(self, ledger: Ledger, clickhouse_url: str, batch: int) -> None:
        self._ledger = ledger
        self._url = clickhouse_url
        self._batch = batch
        self._client: Client | None = None

    def step(self) -> int:
        """See `streams.relay.relay_duties.Duty`."""
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


def _subscription_row(stored: SubscribedTenant) -> SubscriptionRow:
    subscription = stored.subscription
    segments = tuple(
        SegmentRow(it.plan, it.starts_ms, it.ends_ms, it.phase, it.interval)
        for it in subscription.segments
    )
    return SubscriptionRow(
        stored.tenant, stored.version, subscription.currency, segments, subscription.anchor_day
    )


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
        reversed_minor=invoice.reversed_minor,
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
            name=line.name,
            product=line.product,
            tax_minor=line.tax_minor,
        )
        for ordinal, line in enumerate(invoice.lines, 1)
    ]
