"""Subscriptions as a table are those that are read as records."""

import pyarrow as pa

from pipelines.segments.segment_tables import segment_table
from schemas.period import BillingPeriod
from stores.ledger import Ledger
from tests.unit.stores.ledger.builders import NOW, PERIOD, a_subscription

PLANS = (("free", "2026-09-01"), ("pro", "2026-10-10"))


def test_the_table_holds_what_the_records_say(ledger: Ledger) -> None:
    acme, bolt = a_subscription("acme", *PLANS, anchor_day=15), a_subscription("bolt")
    ledger.save_subscriptions([bolt, acme], NOW, "ada")
    found = pa.table(ledger.segments(PERIOD))
    assert found.equals(segment_table(ledger.subscriptions(PERIOD)))
    assert found["plan"].to_pylist() == ["free", "pro", "free"]
    assert found["ends_ms"].null_count == 2


def test_all_segments_of_who_reaches_into_the_period_and_nothing_of_others(ledger: Ledger) -> None:
    later = a_subscription("core", ("free", "2026-11-01"))
    ledger.save_subscriptions([a_subscription("acme", *PLANS), later], NOW, "ada")
    september = BillingPeriod.month("2026-09")
    assert pa.table(ledger.segments(september))["tenant"].to_pylist() == ["acme", "acme"]
    assert pa.table(ledger.segments(PERIOD, ["core"])).num_rows == 0
    assert pa.table(ledger.segments(PERIOD, ["acme", "core"])).num_rows == 2
