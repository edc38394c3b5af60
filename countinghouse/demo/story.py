"""The demo's report as a person reads it: tables and a few sentences on the terminal."""

from collections import Counter
from collections.abc import Iterable, Sequence
from decimal import Decimal
from statistics import quantiles

from rich.console import Console
from rich.table import Table

from countinghouse.demo.report import Breach, Invoice, Report
from schemas.money import Money

LARGEST = 5
_TOO_FEW_FOR_QUANTILES = 2


def tell(report: Report, console: Console) -> None:
    """Print everything but the explained invoice."""
    _events(report, console)
    _breaches(report, console)
    _plan_changes(report, console)
    _invoices(report.invoices, console)
    _payments(report, console)
    _reconciliation(report, console)
    _late(report, console)
    _simulated(report, console)
    _stages(report, console)


def breach_line(tenant: str, percent: int, used: str, latency_ms: float | None) -> str:
    """One line for a hard limit that was just crossed."""
    after = "" if latency_ms is None else f", told after {latency_ms:.0f} ms"
    return f"  hard limit: {tenant} reached {percent} % ({whole(used)} tokens{after})"


def whole(quantity: str) -> str:
    """Decimal text with thousands separators."""
    return f"{Decimal(quantity):,}"


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", show_edge=False)
    for index, column in enumerate(columns):
        table.add_column(column, justify="left" if index == 0 else "right")
    return table


def _events(report: Report, console: Console) -> None:
    events = report.events
    table = _table(f"Usage of {report.month}", "", "events")
    for name in ("produced", "landed", "duplicates", "rejected"):
        table.add_row(name, f"{getattr(events, name):,}")
    console.print(table)
    balanced = events.produced == events.landed + events.duplicates + events.rejected
    verdict = "every element is accounted for" if balanced else "THE COUNTS DO NOT ADD UP"
    console.print(f"produced = landed + duplicates + rejected: {verdict}\n")


def _breaches(report: Report, console: Console) -> None:
    alerts = ", ".join(f"{n:,} at {percent} %" for percent, n in report.alerts.items())
    console.print(f"[bold]Usage alerts[/bold] {alerts or 'none'}")
    console.print(
        f"[bold]Hard limits reached[/bold] {len(report.breaches)} {_latency(report.breaches)}\n"
    )


def _latency(breaches: Sequence[Breach]) -> str:
    seen = sorted(breach.latency_ms for breach in breaches if breach.latency_ms is not None)
    if len(seen) < _TOO_FEW_FOR_QUANTILES:
        return ""
    cuts = quantiles(seen, n=100, method="inclusive")
    return (
        f"(from sending the event to a read_committed subscriber: "
        f"p50 {cuts[49]:.0f} ms, p99 {cuts[98]:.0f} ms)"
    )


def _plan_changes(report: Report, console: Console) -> None:
    if not report.plan_changes:
        return
    table = _table("Plans that changed", "tenant", "by", "what", f"{report.month} costs")
    totals = {each.tenant: Money(each.total_minor, each.currency) for each in report.invoices}
    for change in report.plan_changes:
        costs = str(totals.get(change.tenant, "nothing"))
        table.add_row(change.tenant, change.who, change.what, costs)
    console.print(table)
    console.print()


def _invoices(invoices: Sequence[Invoice], console: Console) -> None:
    totals: Counter[str] = Counter()
    for invoice in invoices:
        totals[invoice.currency] += invoice.total_minor
    amounts = ", ".join(str(Money(totals[currency], currency)) for currency in sorted(totals))
    console.print(f"[bold]Invoices[/bold] {len(invoices)}, in all {amounts}")
    table = _table(f"The largest {LARGEST} in each currency", "tenant", "number", "state", "total")
    for invoice in _largest(invoices):
        total = str(Money(invoice.total_minor, invoice.currency))
        table.add_row(invoice.tenant, invoice.number or "held", invoice.state, total)
    console.print(table)
    console.print()


def _largest(invoices: Sequence[Invoice]) -> Iterable[Invoice]:
    for currency in sorted({invoice.currency for invoice in invoices}):
        own = [invoice for invoice in invoices if invoice.currency == currency]
        yield from sorted(own, key=lambda invoice: -invoice.total_minor)[:LARGEST]


def _payments(report: Report, console: Console) -> None:
    table = _table("Payments", "outcome", "attempts", "amount")
    amounts: Counter[tuple[str, str]] = Counter()
    counts: Counter[tuple[str, str]] = Counter()
    for payment in report.payments:
        outcome = (
            payment.state if payment.failure is None else f"{payment.state}: {payment.failure}"
        )
        counts[outcome, payment.currency] += 1
        amounts[outcome, payment.currency] += payment.amount_minor
    for (outcome, currency), count in sorted(counts.items()):
        table.add_row(outcome, str(count), str(Money(amounts[outcome, currency], currency)))
    console.print(table)
    console.print()


def _reconciliation(report: Report, console: Console) -> None:
    differences = report.reconciliation.differences
    console.print("[bold]Reconciliation[/bold] counter = warehouse = invoice, for every tenant")
    for name, quantity in report.reconciliation.explained.items():
        console.print(f"  explained: {name.replace('_', ' ')} {whole(quantity)}")
    for difference in differences:
        console.print(
            f"  [red]{difference.tenant} {difference.between} {difference.quantity}[/red]"
        )
    console.print(f"  difference {len(differences)}\n")


def _late(report: Report, console: Console) -> None:
    """`countinghouse usage late`, and the lines that the next close would make."""
    if not report.late:
        return
    console.print("[bold]Late usage[/bold], as `countinghouse usage late` lists it")
    for its in report.late:
        amount = Money(its.amount_minor, its.currency)
        plural = "" if its.events == 1 else "s"
        told = f"{its.tenant}, {its.events:,} event{plural}: invoice {its.invoice} stays as it is"
        console.print(f"  {told}; the next close corrects {amount}", highlight=False)
        for line in its.corrected_by:
            price = Money(line.amount_minor, its.currency)
            console.print(f"    {line.kind}  {line.description}  {price}", highlight=False)
    console.print()


def _simulated(report: Report, console: Console) -> None:
    """`countinghouse simulate`, in total."""
    if not report.simulated:
        return
    title = f"{report.month} by examples/drafts/llm_tokens.yaml (countinghouse simulate)"
    table = _table(title, "currency", "tenants", "billed", "by the draft", "pay less", "pay more")
    for it in report.simulated:
        totals = (str(Money(minor, it.currency)) for minor in (it.before_minor, it.after_minor))
        counts = str(it.tenants), *totals, str(it.winners), str(it.losers)
        table.add_row(it.currency, *counts)
    console.print(table)
    console.print()


def _stages(report: Report, console: Console) -> None:
    table = _table("This run", "stage", "seconds", "events a second")
    for stage in report.stages:
        table.add_row(stage.name, f"{stage.seconds:.1f}", f"{stage.events_per_second:,.0f}")
    console.print(table)
    console.print()
