"""The exceptions a person can meet, and the exit code of each.

    BillingError
    ├── InvalidInput            a file, argument or setting is wrong
    ├── NotFound                no such tenant, month, invoice
    ├── Conflict                it exists already, or another run holds it
    │   ├── Fenced              another owner has taken over this partition
    │   ├── ChangeRefused       a subscription's state does not allow the command
    │   └── PeriodClosed        the change would reach into a closed month
    ├── PeriodNotOver           the month has not ended (plus its grace)
    ├── PeriodNotComplete       counters or landing have not read the month yet
    ├── ReconciliationFailed    a difference that is nobody's: the run stops
    └── DependencyUnreachable   Kafka, ClickHouse, the ledger or a provider does not answer

Bad usage is not here: a rejected event is a value (`schemas.event.Rejection`).
"""


class BillingError(Exception):
    """A broken rule of the domain, said in one line with its remedy."""

    exit_code = 1


class InvalidInput(BillingError):
    """A file, argument or setting is wrong; the text names the place and the remedy."""

    exit_code = 2


class NotFound(BillingError):
    """The named thing does not exist."""

    exit_code = 4


class Conflict(BillingError):
    """The thing exists already, or another run holds it."""

    exit_code = 4


class Fenced(Conflict):
    """Another owner has taken over this partition; whoever sees this must drop its state."""


class ChangeRefused(Conflict):
    """The subscription's state does not allow the command; the text says the state and a way."""


class PeriodClosed(Conflict):
    """The change would reach into a month that is closed."""


class PeriodNotOver(BillingError):
    """A month may be closed only when it and its grace have passed."""


class PeriodNotComplete(BillingError):
    """Landing or counters have not yet read all that the month holds; try again later."""


class ReconciliationFailed(BillingError):
    """Figures disagree in a way that belongs to no single tenant, so nothing is finalized."""


class DependencyUnreachable(BillingError):
    """A part that we need does not answer; the text names its address and the setting."""

    exit_code = 5


UNREADABLE = (ValueError, OverflowError, RecursionError)
"""What a record that somebody else wrote may raise where it is read: no JSON, no text, no date,
brackets by the thousand. Whoever reads record by record complains, and goes on."""
