"""One run's calls to one provider, several at a time; it stops when the provider is down.

Only the provider is called in threads. Attempts are opened before their call and recorded after it
by the one who runs this, in their order: a run killed at any point leaves a few of them
`submitting`, and the next one continues those with their keys.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from pipelines.columns.ahead import side_by_side
from schemas.errors import BillingError, Conflict, DependencyUnreachable, NotFound
from schemas.invoice import Invoice
from schemas.ledger_ports import PaymentLedger
from schemas.payment import PaymentAttempt, ProviderPayment
from schemas.ports import Clock, PaymentProvider

Report = Callable[[str], None]

IN_A_ROW = 3
"""So many unanswered calls one after another mean that the provider is down."""


@dataclass(frozen=True, slots=True)
class _Asked:
    """An attempt, what its provider says of it or why that is not known, and was it charged now?"""

    attempt: PaymentAttempt
    said: ProviderPayment | BillingError
    is_charged: bool = False


class Charging:
    """Counts a run's charges, and its unanswered calls in a row."""

    def __init__(
        self,
        ledger: PaymentLedger,
        provider: PaymentProvider,
        clock: Clock,
        report: Report,
        at_once: int,
    ) -> None:
        self._ledger = ledger
        self._provider = provider
        self._clock = clock
        self._report = report
        self._at_once = at_once
        self._unanswered = 0
        self._down: DependencyUnreachable | None = None

    def resume(self, attempts: Iterable[PaymentAttempt]) -> int:
        """Continue the provider's attempts whose answers may have been lost; how many were charged.

        They are looked up before they are charged, because providers forget keys: Stripe after a
        day.

        Raises:
            DependencyUnreachable: the provider did not answer three times in a row.
        """
        own = (each for each in attempts if each.provider == self._provider.name)
        return self._ask_all(own, self._continue)

    def begin(self, invoices: Iterable[Invoice]) -> int:
        """Open each invoice's next attempt and charge it; how many were charged.

        Raises:
            DependencyUnreachable: as `resume`.
        """
        return self._ask_all(self._opened(invoices), self._charge)

    def _opened(self, invoices: Iterable[Invoice]) -> Iterator[PaymentAttempt]:
        for invoice in invoices:
            try:
                opened = self._ledger.open_attempt(invoice, self._provider.name, self._clock())
            except (Conflict, NotFound) as error:
                self._report(f"{invoice.id}: {error}")
                continue
            if opened is not None:
                yield opened

    def _ask_all(
        self, attempts: Iterator[PaymentAttempt], ask: Callable[[PaymentAttempt], _Asked]
    ) -> int:
        charged = 0
        for asked in side_by_side(ask, self._until_down(attempts), self._at_once):
            charged += asked.is_charged
            self._record(asked)
        if self._down is not None:
            raise self._down
        return charged

    def _until_down(self, attempts: Iterator[PaymentAttempt]) -> Iterator[PaymentAttempt]:
        """Once the provider is down no attempt is opened; those that are under way are recorded."""
        while self._down is None and (attempt := next(attempts, None)) is not None:
            yield attempt

    def _continue(self, attempt: PaymentAttempt) -> _Asked:
        try:
            known = self._provider.fetch(attempt)
        except BillingError as error:
            return _Asked(attempt, error)
        return self._charge(attempt) if known is None else _Asked(attempt, known)

    def _charge(self, attempt: PaymentAttempt) -> _Asked:
        try:
            return _Asked(attempt, self._provider.charge(attempt), is_charged=True)
        except BillingError as error:
            return _Asked(attempt, error)

    def _record(self, asked: _Asked) -> None:
        attempt = asked.attempt
        try:
            if isinstance(asked.said, BillingError):
                raise asked.said
            self._ledger.record_attempt(attempt.id, asked.said, self._clock())
        except DependencyUnreachable as error:
            self._unanswered += 1
            self._report(f"{attempt.id}: no answer, left as submitting ({error})")
            if self._unanswered >= IN_A_ROW:
                self._down = error
        except BillingError as error:
            self._report(f"{attempt.id}: {error}")
        else:
            self._unanswered = 0
