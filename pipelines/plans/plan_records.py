"""Changing plans in the ledger: once whatever is repeated, and with a record of every transition.

The use cases; what a command makes of a subscription is in `pipelines.plans.plan_life`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from pipelines.plans.plan_clock import by_debt, settle
from pipelines.plans.plan_commands import Command, Move, default_key, request
from pipelines.plans.plan_life import carry_out, named_instant
from schemas.catalog import Catalog
from schemas.errors import ChangeRefused, Conflict
from schemas.ledger_ports import SubscriptionLedger
from schemas.plan_change import Decision, PlanEntry, PlanLife
from schemas.plan_state import may_follow, next_bound, state_at
from schemas.subscription import Subscription

CHUNK = 5_000
"""Subscriptions that are changed in one transaction."""


@dataclass(frozen=True, slots=True)
class Order:
    """Who wants a command carried out, why, and when it is given.

    `key` names the act, so that it is done once; without one it is made of the command's content,
    see `plan_commands.default_key`. `in_closed_months` allows a change of what was invoiced.
    """

    command: Command
    now_ms: int
    who: str
    why: str = ""
    key: str | None = None
    in_closed_months: bool = False


@dataclass(frozen=True, slots=True)
class Carried:
    """What a command did to a tenant; `is_repeat`: it was done before, and nothing changed."""

    tenant: str
    entry: PlanEntry
    is_repeat: bool


def change_plan(
    ledger: SubscriptionLedger, tenant: str, order: Order, opening: Subscription | None = None
) -> Carried:
    """Carry out a command for one tenant, or find that it was carried out already.

    `opening` is what a tenant without subscription begins with: no segments, a currency, a card.

    Raises:
        ChangeRefused, InvalidInput: see `plan_life.carry_out`. PeriodClosed: the change would reach
            into a closed month. NotFound: no subscription, and no `opening`.
        Conflict: the key was used for another command.
    """
    carrier = _Carrier(order, ledger.catalogs())
    ledger.decide_on(
        [tenant],
        carrier.decide,
        order.now_ms,
        opening=opening,
        in_closed_months=order.in_closed_months,
    )
    return carrier.carried[0]


def move_all(ledger: SubscriptionLedger, order: Order) -> list[Carried]:
    """Carry out a `Move` for every tenant that has the plan by the price list's version.

    Each few thousand tenants are a transaction: what was interrupted is repeated with the same key.
    """
    if not isinstance(order.command, Move):
        raise TypeError("only a Move is for all tenants")
    carrier = _Carrier(order, ledger.catalogs(), is_lenient=True)
    holders = ledger.tenants_holding(order.command.plan, order.command.from_version, order.now_ms)
    for chunk in _chunks(holders):
        ledger.decide_on(
            chunk, carrier.decide, order.now_ms, in_closed_months=order.in_closed_months
        )
    return carrier.carried


def record_due_transitions(ledger: SubscriptionLedger, now_ms: int) -> int:
    """Record what time and payments have done to subscriptions and is not recorded yet; how much.

    May run twice, and beside itself: a transition is recorded once.
    """
    recorded = 0

    def decide(life: PlanLife) -> Decision:
        nonlocal recorded
        settled = settle(life, now_ms)
        recorded += len(settled.entries)
        following_ms = next_bound(life.subscription, now_ms)
        return Decision(life.subscription, settled.entries, settled.state, following_ms)

    for chunk in _chunks(ledger.tenants_due(now_ms)):
        ledger.decide_on(chunk, decide, now_ms)
    return recorded


def _chunks(names: Sequence[str]) -> Iterator[Sequence[str]]:
    return (names[first : first + CHUNK] for first in range(0, len(names), CHUNK))


class _Carrier:
    """Carries one order out for the subscriptions that it is shown."""

    def __init__(
        self, order: Order, catalogs: Mapping[int, Catalog], *, is_lenient: bool = False
    ) -> None:
        self.carried: list[Carried] = []
        self._order = order
        self._catalogs = catalogs
        self._is_lenient = is_lenient

    def decide(self, life: PlanLife) -> Decision | None:
        """What the order makes of a subscription; nothing, if it was carried out already."""
        key, earlier = self._key(life)
        if earlier is not None:
            self.carried.append(Carried(life.subscription.tenant, earlier, is_repeat=True))
            return None
        try:
            return self._decide(life, key)
        except ChangeRefused:
            if self._is_lenient:
                return None
            raise

    def _key(self, life: PlanLife) -> tuple[str, PlanEntry | None]:
        """The key of the act, and its entry if it is there."""
        order, said = self._order, request(self._order.command)
        if order.key is not None:
            earlier = life.commands.get(order.key)
            if earlier is not None and earlier.request != said:
                raise Conflict(
                    f"the key {order.key!r} was used for {earlier.request}; choose another"
                )
            return order.key, earlier
        at_ms = named_instant(life.subscription, order.command, order.now_ms)
        last = next(reversed(tuple(life.commands.values())), None)
        if last is not None and last.key == default_key(order.command, at_ms, life.version - 1):
            return last.key, last
        return default_key(order.command, at_ms, life.version), None

    def _decide(self, life: PlanLife, key: str) -> Decision:
        order, now_ms = self._order, self._order.now_ms
        settled = settle(life, now_ms)
        change = carry_out(
            life.subscription, order.command, now_ms, self._catalogs, is_owing=life.is_owing
        )
        after = change.subscription
        state = state_at(after, now_ms, is_past_due=settled.state == "past_due")
        if not may_follow(settled.state, state):
            raise ChangeRefused(f"{after.tenant} is {settled.state}; it cannot become {state}")
        entry = PlanEntry(
            command=order.command.name,
            request=request(order.command),
            key=key,
            who=order.who,
            why=order.why,
            what=change.what,
            recorded_ms=now_ms,
            effective_ms=change.effective_ms,
            from_state=settled.state,
            to_state=state,
        )
        self.carried.append(Carried(after.tenant, entry, is_repeat=False))
        owed = by_debt(state, now_ms, is_owing=life.is_owing)
        entries = (*settled.entries, entry, *([owed] if owed else []))
        return Decision(after, entries, entries[-1].to_state, next_bound(after, now_ms))
