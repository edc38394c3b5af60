"""Two invoices from events on Kafka to paid, each figure worked out by hand.

Upgrade to enterprise, tenant `ada`: pro (49.99) until 11 October 00:00, then enterprise (199.99),
10 of 31 days used, 21 left; 2,000,000 tokens on 5 October.

    fee       49.99 − 49.99 × 21/31 + 199.99 × 21/31 = 49.99 − 33.86 + 135.48 = 151.61
    pool      1,000,000 × 10/31 + 10,000,000 × 21/31 = 322,580.645161 + 6,774,193.548387
              = 7,096,774.193548, more than what was used: no overage
    total     151.61 USD

Free to pro, tenant `bob`: free until 16 October 00:00, then pro (49.99); 60,000 tokens before,
700,000 after.

    fee       0.00 + 49.99 × 16/31 = 25.80
    pool      100,000 × 15/31 + 1,000,000 × 16/31 = 48,387.096774 + 516,129.032258
              = 564,516.129032
    overage   before: 60,000 − 48,387.096774 < pool, so all 60,000 are inside the pool;
              in all 760,000 − 564,516.129032 = 195,483.870968 × 0.000008 = 1.563870… = 1.56
    total     27.36 USD
"""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.end_to_end.demo_process import Demo

pytestmark = pytest.mark.end_to_end

USAGE = """\
tenant,time,model,input_tokens,output_tokens
ada,2026-10-05T08:00:00Z,m-large,1500000,500000
bob,2026-10-15T23:59:59.999Z,m-small,50000,10000
bob,2026-10-16T00:00:00Z,m-small,400000,300000
"""
SUBSCRIPTIONS = """\
tenant,plan,starts_at
ada,pro,2026-09-01T00:00:00Z
ada,enterprise,2026-10-11T00:00:00Z
bob,free,2026-09-01T00:00:00Z
bob,pro,2026-10-16T00:00:00Z
"""


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """The report of a demo on the two tenants."""
    folder = tmp_path_factory.mktemp("worked")
    (folder / "usage.csv").write_text(USAGE)
    (folder / "subscriptions.csv").write_text(SUBSCRIPTIONS)
    files = ["--usage", f"{folder}/usage.csv", "--subscriptions", f"{folder}/subscriptions.csv"]
    demo = Demo(folder / "home", files)
    demo.home.mkdir()
    yield demo.run()[0]
    demo.command("down")
    demo.kill_all()


def _amounts(report: dict[str, Any], tenant: str) -> list[tuple[str, str | None, int]]:
    [invoice] = [i for i in report["invoices"] if i["tenant"] == tenant]
    return [(line["kind"], line["quantity"], line["amount_minor"]) for line in invoice["lines"]]


def test_an_upgrade_in_mid_month_is_prorated_by_the_second(report: dict[str, Any]) -> None:
    assert _amounts(report, "ada") == [
        ("base_fee", None, 4999),
        ("proration_credit", None, -3386),
        ("proration_charge", None, 13548),
        ("included", "2000000", 0),
    ]


def test_a_pool_is_shared_by_the_plans_of_a_month(report: dict[str, Any]) -> None:
    assert _amounts(report, "bob") == [
        ("base_fee", None, 0),
        ("proration_credit", None, 0),
        ("proration_charge", None, 2580),
        ("included", "60000", 0),
        ("included", "504516.129032", 0),
        ("overage", "195483.870968", 156),
    ]


def test_both_are_paid(report: dict[str, Any]) -> None:
    paid = {i["tenant"]: (i["total_minor"], i["state"]) for i in report["invoices"]}
    assert paid == {"ada": (15161, "paid"), "bob": (2736, "paid")}
    assert {p["state"] for p in report["payments"]} == {"succeeded"}


def test_the_alerts_are_those_of_the_pools_in_force(report: dict[str, Any]) -> None:
    # ada: 2,000,000 of pro's 1,000,000 on 5 October: 80, 100, 120 % and the hard limit of 150 %.
    # bob: 60,000 of free's 100,000: nothing. Then 760,000 of 564,516.129032: 80, 100 and 120 %
    # (677,419.35), below the hard limit of 846,774.19.
    assert report["alerts"] == {"80": 2, "100": 2, "120": 2}
    assert [(b["tenant"], b["threshold_percent"]) for b in report["breaches"]] == [("ada", 150)]
