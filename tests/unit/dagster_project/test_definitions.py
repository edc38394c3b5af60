"""The definitions as Dagster loads them: whole, by name, without a secret."""

import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import dagster as dg
import pytest
import yaml
from dagster._core.storage.tags import MAX_RUNTIME_SECONDS_TAG
from pydantic import SecretStr

from countinghouse.local.environment import settings_environment
from countinghouse.settings import Settings
from countinghouse.wiring import provider_settings
from dagster_project.definitions import defs
from dagster_project.environment import Environment
from schemas.topics import TOPICS

ROOT = Path(__file__).parents[3]
SECRET = "sk_live_of_nobody"


def test_every_object_is_there_by_name() -> None:
    repository = defs.get_repository_def()
    jobs = {job.name for job in repository.get_all_jobs() if not job.name.startswith("__")}
    assert jobs == {
        "close_month",
        "finalize_and_collect",
        "look_at_late_usage",
        "keep_usage_by_day",
    }
    sensors = {sensor.name for sensor in repository.sensor_defs}
    assert sensors == {"drafts_due", "usage_came_late", "run_failed", "month_overdue"}
    assert {schedule.name for schedule in repository.schedule_defs} == {"month_end", "every_hour"}
    groups = {
        key.to_user_string(): group
        for key, group in ((n.key, n.group_name) for n in defs.resolve_asset_graph().asset_nodes)
    }
    assert groups["upcoming_invoices"] == "preview"
    assert [name for name, group in groups.items() if group == "billing"] != []


def test_nothing_comes_after_the_preview() -> None:
    graph = defs.resolve_asset_graph()
    assert graph.get(dg.AssetKey("upcoming_invoices")).child_keys == set()


def test_topics_tables_and_assets_are_one_lineage_and_each_has_an_owner_and_a_description() -> None:
    graph = defs.resolve_asset_graph()
    described = [node for node in graph.asset_nodes if node.owners and node.description]
    undescribed = {node.key.to_user_string() for node in graph.asset_nodes} - {
        node.key.to_user_string() for node in described
    }
    assert undescribed == set()
    assert graph.get(dg.AssetKey("upcoming_invoices")).parent_keys
    upstream = graph.get_ancestor_asset_keys(dg.AssetKey("billing_events_topic"))
    assert dg.AssetKey("usage_events_topic") in upstream
    assert {f"{topic.name.replace('.', '_')}_topic" for topic in TOPICS} == {
        key for key in (k.to_user_string() for k in graph.external_asset_keys) if "_topic" in key
    }


def test_a_backfill_is_a_run_for_each_month() -> None:
    graph = defs.resolve_asset_graph()
    policies = {node.backfill_policy for node in graph.asset_nodes if node.partitions_def}
    assert policies == {None}


@pytest.mark.integration
def test_a_fresh_process_loads_them_and_its_snapshot_holds_no_secret() -> None:
    script = (
        "from dagster_project.definitions import defs\n"
        "from dagster._core.remote_representation.external_data import RepositorySnap\n"
        "from dagster._serdes import serialize_value\n"
        "print(serialize_value(RepositorySnap.from_def(defs.get_repository_def())))\n"
    )
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "COUNTINGHOUSE_STRIPE_API_KEY": SECRET,
        "COUNTINGHOUSE_LEDGER": f"postgresql://user:{SECRET}@host/name",
    }
    run = subprocess.run(
        [sys.executable, "-c", script],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert "month_end" in run.stdout
    assert SECRET not in run.stdout


@pytest.mark.parametrize(
    "settings",
    [
        Settings(),
        Settings(
            home=Path("/tmp/elsewhere"),
            kafka="broker:9092",
            kafka_security_protocol="SASL_SSL",
            kafka_sasl_mechanism="SCRAM-SHA-256",
            kafka_username="user",
            kafka_password=SecretStr("password"),
            clickhouse="http://user:password@host:8123/usage",
            ledger="postgresql://user@host/name",
            warehouse_port=1,
            sandbox_port=2,
            dedupe_window=3,
            close_grace=timedelta(minutes=90),
            draft_period=timedelta(days=2),
            approval=True,
            max_held=0.25,
            seller="A Seller",
            production=True,
            charges_at_once=4,
            stripe_api_key="sk_test",
            stripe_webhook_secret="whsec",
            alert_url="https://host/alerts",
            notify_secret="whsec_1 whsec_2",
        ),
    ],
    ids=["defaults", "all set"],
)
def test_the_environment_of_a_run_is_that_of_the_settings(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    if settings != Settings():
        for name, value in settings_environment(settings).items():
            monkeypatch.setenv(name, value)
    read = Environment()
    same = ("kafka_access", "clickhouse_url", "ledger_url", "dedupe_window", "close_grace")
    told = ("alert_url", "notify_secret", "charges_at_once")
    for name in (*same, *told, "draft_period", "approval", "max_held", "seller", "production"):
        assert getattr(read, name) == getattr(settings, name), name
    assert read.providers == provider_settings(settings)


def test_the_committed_instance_is_one_that_dagster_accepts(tmp_path: Path) -> None:
    text = (ROOT / "dagster_project" / "home" / "dagster.yaml").read_text()
    (tmp_path / "dagster.yaml").write_text(text)
    with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
        assert not instance.telemetry_enabled
        assert instance.run_retries_enabled
        assert yaml.safe_load(text)["concurrency"]["runs"]["max_concurrent_runs"] == 1


def test_a_run_that_collects_may_take_longer_than_others() -> None:
    text = (ROOT / "dagster_project" / "home" / "dagster.yaml").read_text()
    usual = yaml.safe_load(text)["run_monitoring"]["max_runtime_seconds"]
    tags = defs.resolve_job_def("finalize_and_collect").run_tags
    assert int(tags[MAX_RUNTIME_SECONDS_TAG]) == 12 * usual
    assert MAX_RUNTIME_SECONDS_TAG not in defs.resolve_job_def("close_month").run_tags
