"""Commands on plans in few words, the price lists that they name, and any of them at random.

Of three price lists 1 and 2 bill by calendar months; 3, the newest, allows anniversaries.
"""

from typing import Any

from hypothesis import strategies as st

from pipelines.plans.plan_commands import (
    Cancel,
    Change,
    Command,
    ConvertTrial,
    ExtendTrial,
    Move,
    Pause,
    Reactivate,
    Resume,
    Start,
    SwitchInterval,
    Withdraw,
)
from schemas.catalog import Catalog
from tests.plan_lives import when


def a_catalog(**changes: Any) -> Catalog:
    def plan() -> dict[str, Any]:
        fees = {"base_fee": {"USD": "10"}, "base_fee_yearly": {"USD": "100"}}
        return {**fees, "meters": {"tokens": {"included": "1000"}}}

    body = {
        "name": "llm",
        "currencies": ("USD",),
        "default_plan": "free",
        "meters": {"tokens": {"event_type": "llm.request", "aggregation": "sum", "value": ["n"]}},
        "plans": {name: plan() for name in ("free", "pro", "enterprise")},
    }
    return Catalog.model_validate({**body, **changes})


CATALOGS = {1: a_catalog(), 2: a_catalog(), 3: a_catalog(anniversary_billing=True)}


def at(text: str) -> Any:
    """When, as a command says it."""
    return text if text in ("now", "period-end") else when(text)


def start(plan: str, moment: str = "now", **terms: Any) -> Start:
    return Start(plan=plan, when=at(moment), version=1, **terms)


def change(plan: str, moment: str = "now", version: int = 1) -> Change:
    return Change(plan=plan, when=at(moment), version=version)


def pause(moment: str, until: str | None = None) -> Pause:
    return Pause(when=at(moment), until_ms=until and when(until))  # type: ignore[arg-type]


def move(moment: str) -> Move:
    return Move(plan="pro", from_version=1, to_version=2, when=at(moment))


def cancel(moment: str) -> Cancel:
    return Cancel(when=at(moment))


def resume(moment: str) -> Resume:
    return Resume(when=at(moment))


def to_year(moment: str) -> SwitchInterval:
    return SwitchInterval(interval="year", when=at(moment))


def to_month(moment: str) -> SwitchInterval:
    return SwitchInterval(interval="month", when=at(moment))


def withdraw(moment: str) -> Withdraw:
    return Withdraw(at_ms=when(moment))


def to_trial_end(moment: str) -> ExtendTrial:
    return ExtendTrial(ends_ms=when(moment))


INSTANTS = st.integers(-60 * 96, 120 * 96).map(lambda n: when("10-01") + n * 900_000)
_whens = st.one_of(st.sampled_from(["now", "period-end"]), INSTANTS)
PLANS = st.sampled_from(["free", "pro", "enterprise"])
COMMANDS: st.SearchStrategy[Command] = st.one_of(
    st.builds(Start, plan=PLANS, when=_whens, trial_days=st.sampled_from([0, 7, 40])),
    st.builds(Change, plan=PLANS, when=_whens, version=st.sampled_from([None, 1, 2])),
    st.builds(SwitchInterval, interval=st.sampled_from(["month", "year"]), when=_whens),
    st.builds(Cancel, when=_whens),
    st.builds(Reactivate),
    st.builds(Pause, when=_whens, until_ms=st.none() | INSTANTS),
    st.builds(Resume, when=_whens),
    st.builds(Move, plan=PLANS, from_version=st.just(1), to_version=st.just(2), when=_whens),
    st.builds(ExtendTrial, ends_ms=INSTANTS),
    st.builds(ConvertTrial, when=_whens),
    st.builds(Withdraw, at_ms=INSTANTS),
)
