"""Plans that change while a month is being closed: it is billed by those its usage was split by."""

from pipelines.close import closing
from tests.builders import a_subscription
from tests.unit.pipelines.close.test_closing import MONTH, World


def test_a_plan_that_changes_on_the_way_is_billed_as_its_usage_was_split() -> None:
    undisturbed, world = World(), World()
    undisturbed.close()
    world.open()
    closing.aggregate_usage(MONTH, world.ledger, world.warehouse)
    world.ledger.subscribed[1] = a_subscription("free 09-01, pro 10-16, free 10-20", "design")
    closing.rate_charges(MONTH, world.ledger)
    closing.prorate_fees(MONTH, world.ledger)
    closing.draft_invoices(MONTH, world.ledger)
    assert [i.document for i in world.ledger.invoices(MONTH)] == [
        i.document for i in undisturbed.ledger.invoices(MONTH)
    ]


def test_a_close_that_begins_again_is_by_the_plans_of_now() -> None:
    changed, world = World(), World()
    for each in (changed, world):
        if each is world:
            each.open()
            closing.aggregate_usage(MONTH, each.ledger, each.warehouse)
        each.ledger.subscribed[1] = a_subscription("free 09-01, pro 10-16, free 10-20", "design")
        each.close()
    assert world.ledger.invoices(MONTH) == changed.ledger.invoices(MONTH)
