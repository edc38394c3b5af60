"""A check's results are those of a month: after a backfill each month still has its own."""

from pathlib import Path

import dagster as dg
import pytest
from dagster._core.event_api import PartitionKeyFilter

from dagster_project.definitions import defs
from dagster_project.due import billed_by_six
from dagster_project.partitions import billing_periods
from tests.builders import at, units
from tests.fake_warehouse import Used
from tests.unit.dagster_project.months import MONTH, a_month

STRANGER = dg.AssetCheckKey(dg.AssetKey("reconciliation"), "usage_has_a_subscription")


def test_every_check_but_that_of_the_month_that_is_due_has_the_months_of_its_asset() -> None:
    graph = defs.resolve_asset_graph()
    of_no_month = [
        key for key in graph.asset_check_keys if graph.get(key).partitions_def != billing_periods
    ]
    assert of_no_month == list(billed_by_six.check_keys)


@pytest.mark.integration
def test_the_months_of_a_backfill_keep_their_results(tmp_path: Path) -> None:
    month = a_month(tmp_path)
    stranger = Used("stranger", "tokens", at("10-05"), units(100), offset=4)
    month.warehouse.events.append(stranger)
    with dg.DagsterInstance.ephemeral() as instance:
        for key in (MONTH, "2026-09"):
            defs.resolve_job_def("close_month").execute_in_process(
                instance=instance,
                partition_key=key,
                resources={n: r for n, r in month.resources().items() if n != "providers"},
            )
        said = {}
        for key in ("2026-09", MONTH):
            [record] = instance.event_log_storage.get_asset_check_execution_history(
                STRANGER, limit=1, partition_filter=PartitionKeyFilter(key=key)
            )
            said[key] = record.evaluation.description if record.evaluation else None
    assert said == {
        "2026-09": "every user has a subscription",
        MONTH: "stranger: 100 tokens, no subscription",
    }
