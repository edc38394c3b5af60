"""The demo's report: what a script reads with `--report FILE.json`, and a person on the screen.

Owns the report's shape (described in docs/demo-report.md, made from these models). Quantities are
decimal text, amounts integers of minor units, instants RFC 3339 UTC.
"""

from pydantic import BaseModel, ConfigDict, Field


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Events(_Part):
    """`produced` = `landed` + `duplicates` + `rejected`, always."""

    produced: int = Field(description="Every element sent, resends and malformed ones included.")
    landed: int = Field(description="Distinct events in the warehouse.")
    duplicates: int = Field(description="Deliveries of an event beyond its first.")
    rejected: int = Field(description="Elements in usage.rejected.")


class Stage(_Part):
    """How long a stage took in this run, and what that makes a second."""

    name: str
    seconds: float
    events_per_second: float


class Usage(_Part):
    """A tenant's usage of a meter in the month."""

    tenant: str
    meter: str
    quantity: str


class Line(_Part):
    """An invoice line."""

    kind: str
    meter: str | None
    description: str
    quantity: str | None
    amount_minor: int
    period_start: str
    period_end: str


class Invoice(_Part):
    """An invoice; drafts that are held have no number."""

    tenant: str
    number: str | None
    currency: str
    total_minor: int
    state: str
    lines: list[Line]


class Breach(_Part):
    """A hard limit reached; `latency_ms` is null if nobody was listening when it was told."""

    tenant: str
    meter: str
    threshold_percent: int
    latency_ms: float | None = Field(
        description="From the send time of the event that caused it to a read_committed subscriber."
    )


class PlanChange(_Part):
    """A row of a subscription's history: a command that was given, or what time did by itself."""

    tenant: str
    who: str = Field(description="Who gave the command, or `clock`.")
    why: str
    what: str
    takes_effect: str
    state: str


class Difference(_Part):
    """A figure that nothing explains. `between` names the two records that disagree."""

    tenant: str
    meter: str
    between: str
    quantity: str


class Reconciliation(_Part):
    """Counter = warehouse = invoice, for every tenant: `differences` is empty when they agree."""

    differences: list[Difference]
    explained: dict[str, str] = Field(
        description="Quantities by cause that are counted in one record and known why."
    )


class Payment(_Part):
    """One attempt to collect an invoice."""

    invoice: str
    tenant: str
    provider: str
    state: str
    currency: str
    amount_minor: int
    failure: str | None


class Late(_Part):
    """A tenant's usage that came after the close, and what the next close corrects for it."""

    tenant: str
    events: int
    invoice: str = Field(description="The closed month's, which stays as it is.")
    currency: str
    amount_minor: int
    corrected_by: list[Line] = Field(description="Lines of the next invoice.")


class Simulated(_Part):
    """What the closed month would have come to under a draft of other prices."""

    currency: str
    tenants: int
    before_minor: int
    after_minor: int
    winners: int = Field(description="Tenants who would have paid less.")
    losers: int = Field(description="Tenants who would have paid more.")


class Report(_Part):
    """Everything the demo saw and made."""

    month: str
    events: Events
    stages: list[Stage]
    usage: list[Usage]
    plan_changes: list[PlanChange] = Field(
        description="What became of the plans that were changed within the month."
    )
    invoices: list[Invoice]
    breaches: list[Breach]
    alerts: dict[str, int] = Field(description="Usage alerts by threshold in per cent.")
    unpriced: list[Usage] = Field(description="Usage of tenants without a subscription.")
    reconciliation: Reconciliation
    payments: list[Payment]
    late: list[Late] = Field(description="Usage that came after the close.")
    simulated: list[Simulated] = Field(description="Other prices, by currency.")
