"""What the rows of `countinghouse margin` come to: by currency, with what is in no total."""

from countinghouse.cli.margin_totals import margin_totals, told_total
from pipelines.reports.margin import MarginRow


def row(tenant: str, model: str, currency: str, revenue: int, cost: int) -> MarginRow:
    return MarginRow(tenant, model, 0, 0, currency, revenue, "USD", cost)


ROWS = [
    row("acme", "large", "USD", 1000, 1600),
    row("acme", "", "USD", 3000, 0),
    row("bolt", "small", "USD", 2000, 300),
    row("core", "small", "CNY", 500, 100),
]


def test_totals_are_by_currency_with_their_tenants_models_and_share() -> None:
    assert [told_total(each) for each in margin_totals(ROWS)] == [
        "USD: 2 tenants, 2 models, revenue 60.00, cost 19.00, margin 41.00 (68.3% of revenue)",
        "CNY: 1 rows without costs in it, in no total",
    ]


def test_a_loss_is_a_loss_and_of_no_revenue_there_is_no_share() -> None:
    [loss] = margin_totals(ROWS[:1])
    assert (loss["margin"], loss["percent"]) == ("-6.00", "-60.0%")
    [nothing] = margin_totals([row("acme", "large", "USD", 0, 700)])
    assert told_total(nothing).endswith("revenue 0.00, cost 7.00, margin -7.00")
    assert margin_totals([]) == []
