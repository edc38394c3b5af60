"""One invoice billed by both engines, and written down as a person writes it into a test.

The specification and the bulk must say the same; where they differ, the test that asks has failed.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from pipelines.adjustments.bulk import adjust_lines
from pipelines.adjustments.case import Case
from pipelines.adjustments.concerned import concerned
from pipelines.adjustments.given import given_by_tenant
from pipelines.adjustments.invoice import adjust
from pipelines.adjustments.offered import Offered
from pipelines.columns.tables import lines_by_subscription, table_of
from pipelines.explain.explanation import explain
from pipelines.rating import bulk_rating
from pipelines.rating.proration import prorate_fees
from pipelines.rating.rating import Usage, rate_usage
from pipelines.segments.segment_tables import segment_table
from schemas.catalog import Catalog
from schemas.extras import NOTHING, Extras, Given
from schemas.invoice import Invoice, InvoiceLine
from schemas.money import format_minor
from schemas.period import BillingPeriod
from schemas.quantity import format_micro, to_micro
from schemas.subscription import Subscription
from schemas.tables import LINE_COLUMNS
from tests.builders import OCTOBER, usage_table
from tests.fakes import EXTRAS


def usage_of(text: str) -> dict[tuple[str, int, str], int]:
    """Usage in a line: "tokens 60,000 @1, tokens/small 1.5 @2"; without @ it is segment 1."""
    usage: dict[tuple[str, int, str], int] = {}
    for one in filter(None, text.split(", ")):
        name, quantity, *where = one.split()
        meter, _, value = name.partition("/")
        segment = int(where[0].removeprefix("@")) if where else 1
        usage[meter, segment, value] = to_micro(quantity.replace(",", "").replace("_", ""))
    return usage


@dataclass(frozen=True)
class Bill:
    """Whose invoice, by which price lists, for what usage and with what beside the plan.

    `has` are rows of `schemas.extras` columns.
    """

    catalogs: Mapping[int, Catalog]
    subscription: Subscription
    usage: Usage = field(default_factory=dict)
    has: Mapping[str, Sequence[tuple[Any, ...]]] = field(default_factory=dict)
    month: BillingPeriod = OCTOBER

    @cached_property
    def extras(self) -> Extras:
        return Extras(**{name: table_of(self.has.get(name, ()), EXTRAS[name]) for name in EXTRAS})

    @property
    def given(self) -> Given:
        return given_by_tenant(self.extras).get(self.subscription.tenant, NOTHING)

    @property
    def taxes(self) -> Sequence[Any]:
        return self.catalogs[max(self.catalogs)].taxes

    def lines(self) -> tuple[InvoiceLine, ...]:
        """The lines by the specification, once the bulk has made the same."""
        specified = self._specified()
        assert self._in_bulk() == specified
        return specified

    def _specified(self) -> tuple[InvoiceLine, ...]:
        period = self.subscription.billed_in(self.month)
        lines = prorate_fees(self.subscription, period, self.catalogs)
        lines += rate_usage(self.subscription, period, self.catalogs, self.usage)
        case = Case(self.subscription, period, self.catalogs, lines, self.given, self.taxes)
        return (*lines, *adjust(case))

    def _in_bulk(self) -> tuple[InvoiceLine, ...]:
        tenant = self.subscription.tenant
        used = usage_table((tenant, *key, micro, 1) for key, micro in self.usage.items())
        segments = segment_table([self.subscription])
        fees = bulk_rating.prorate_fees(segments, self.month, self.catalogs)
        charges = bulk_rating.rate_charges(used, segments, self.month, self.catalogs)
        rated = _one_table([*_own(fees), *_own(charges)], self.subscription)
        offered = Offered(self.catalogs, self.taxes, self.extras)
        found = concerned(segments, offered)
        following = _own(adjust_lines(rated, found, self.month, offered))
        return (*_own(fees), *_own(charges), *following)


def _own(table: Any) -> tuple[InvoiceLine, ...]:
    """The lines of the one subscription in a table."""
    return next((lines for _, lines in lines_by_subscription(table)), ())


def _one_table(lines: Iterable[InvoiceLine], subscription: Subscription) -> Any:
    """Lines in their order, as the ledger hands them on."""
    s = subscription
    rows = (
        (
            *(s.tenant, s.id, s.currency, ordinal, line.kind, line.meter, line.value, line.plan),
            *(line.period.start_ms, line.period.end_ms, line.quantity_micro),
            *(line.unit_price_pico, line.fee_minor, line.amount_minor),
            *(line.product, line.name, line.rate_ppm, line.base_minor, line.tax_minor),
        )
        for ordinal, line in enumerate(lines)
    )
    return table_of(rows, LINE_COLUMNS)


def written(lines: Iterable[InvoiceLine], currency: str) -> list[str]:
    """Lines as text, and their total: "overage tokens 500,000 5.00"."""
    lines = tuple(lines)
    total = format_minor(sum(line.amount_minor for line in lines), currency)
    amounts = (format_minor(line.amount_minor, currency) for line in lines)
    told = (f"{label(line)} {amount}" for line, amount in zip(lines, amounts, strict=True))
    return [*told, f"total {total}"]


def label(line: InvoiceLine) -> str:
    """What a line is of, without its amount: "overage tokens 500,000", "tax VAT fees"."""
    meter = line.meter and (f"{line.meter}/{line.value}" if line.value else line.meter)
    product = None if line.kind == "tax" and meter else line.product
    what = (line.name, meter) if line.name else (meter or line.plan,)
    quantity = None if line.quantity_micro is None else _grouped(line.quantity_micro)
    return " ".join(filter(None, (line.kind, *what, product, quantity)))


def _grouped(micro: int) -> str:
    whole, point, part = format_micro(abs(micro)).partition(".")
    return f"{'-' if micro < 0 else ''}{int(whole):,}{point}{part}"


def explained(bill: Bill, lines: tuple[InvoiceLine, ...]) -> str:
    """The explanation of a bill's lines, as of an invoice that is a draft."""
    s = bill.subscription
    invoice = Invoice(
        f"{s.id}:{bill.month.key}", s.tenant, s.id, bill.month.key, s.currency, lines, b"{}", ""
    )
    return explain(invoice, s, bill.catalogs, bill.given, bill.taxes)
