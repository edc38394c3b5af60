"""What the fee of a line is a fee for: the billing period, the next one, or a year."""

from collections.abc import Mapping

from pipelines.rating.fee_terms import is_usual
from pipelines.rating.proration import fee_lines
from schemas.catalog import Catalog
from schemas.invoice import InvoiceLine
from schemas.period import BillingPeriod
from schemas.plan_policies import Proration
from schemas.subscription import Subscription


class FeeWholes:
    """Of one subscription's billing period."""

    def __init__(
        self, subscription: Subscription, period: BillingPeriod, catalogs: Mapping[int, Catalog]
    ) -> None:
        self._period = period
        is_like_most = is_usual(subscription, period, catalogs)
        found = [] if is_like_most else fee_lines(subscription, period, catalogs)
        self._found = {self._key(fee.line): (fee.whole, fee.proration) for fee in found}

    def of(self, line: InvoiceLine) -> tuple[BillingPeriod, Proration]:
        """The whole, and by what a part of it is measured."""
        return self._found.get(self._key(line), (self._period, "second"))

    def _key(self, line: InvoiceLine) -> tuple[str, str, BillingPeriod]:
        return line.kind, line.plan, line.period
