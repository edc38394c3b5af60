"""What the running processes tell: every metric of the list and no other, and `status` of them."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from prometheus_client.parser import text_string_to_metric_families

from countinghouse.client import UsageProducer
from countinghouse.figures import figures, standing
from countinghouse.local.environment import settings_environment
from countinghouse.local.stack import LocalStack
from countinghouse.settings import Settings
from schemas import metrics as listed
from schemas.metrics import Process, of_process
from tests.embedded import ROOT, free_ports
from tests.integration.streams.counters_bench import wait_for
from tests.integration.streams.notices_bench import SECRET, Site, a_site

pytestmark = pytest.mark.integration

STARTED = ["kafka", "warehouse", "api", "sandbox", "relay", "landing", "counters"]
USED = {"input_tokens": 60_000, "output_tokens": 41_000}
"""More than the default plan's hard limit of 100,000."""


@dataclass
class House:
    """A stack without Dagster, with a receiver that takes webhooks and one that does not."""

    settings: Settings
    site: Site

    def port(self, process: str) -> int:
        return int(getattr(self.settings, f"{process}_port"))

    def status(self, *options: str) -> "subprocess.CompletedProcess[str]":
        """The command, on a terminal of 100 columns."""
        return subprocess.run(
            [sys.executable, "-m", "countinghouse", "status", *options],
            cwd=ROOT,
            env={**os.environ, **settings_environment(self.settings), "COLUMNS": "100"},
            capture_output=True,
            text=True,
            check=False,
        )


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """Six events were sent: one again, one again with other content, one malformed."""
    names = [name for name in Settings.model_fields if name.endswith("_port")]
    *ports, closed = free_ports(len(names) + 1)
    with a_site() as site:
        settings = Settings.model_validate(
            {
                "home": tmp_path_factory.mktemp("status") / "home",
                "partitions": 2,
                "notify_urls": f"{site.url} http://127.0.0.1:{closed}/dead",
                "notify_secret": SECRET,
                **dict(zip(names, ports, strict=True)),
            }
        )
        with LocalStack(settings, STARTED):
            send_usage(settings)
            house = House(settings, site)
            wait_for(lambda: len(site.posts) == 4, "three alerts and a hard limit")
            port = house.port("landing")
            wait_for(lambda: figures(port).total(listed.LANDED) == 5, "usage to be landed")
            yield house


def send_usage(settings: Settings) -> None:
    with UsageProducer(settings.kafka_servers, source="test") as usage:
        for tokens in (USED, USED):
            usage.record("acme", "llm.request", tokens, event_id="same")
        usage.record(
            "acme", "llm.request", {"input_tokens": 1, "output_tokens": 1}, event_id="same"
        )
        usage.record("acme", "llm.request", {"input_tokens": "many", "output_tokens": 1})
        usage.record("acme", "llm.request", {"input_tokens": 20_000, "output_tokens": 1})
        usage.record("other", "llm.request", {"input_tokens": 1, "output_tokens": 1})


PROCESSES: list[Process] = ["counters", "landing", "relay", "api"]


@pytest.mark.parametrize("process", PROCESSES)
def test_each_process_tells_the_metrics_of_the_list_and_no_other(
    house: House, process: Process
) -> None:
    from urllib.request import urlopen

    with urlopen(f"http://127.0.0.1:{house.port(process)}/metrics", timeout=5) as answer:
        families = list(text_string_to_metric_families(answer.read().decode()))
    told = {
        (family.name, family.type, family.documentation)
        for family in families
        if not family.name.endswith("_created")
    }
    assert told == {(m.name, m.kind, m.meaning) for m in of_process(process)}
    labels = {metric.name: set(metric.labels) for metric in of_process(process)}
    for family in families:
        for sample in family.samples:
            if not sample.name.endswith("_created"):
                assert set(sample.labels) - {"le"} == labels[family.name]


def test_figures_are_those_of_what_was_sent(house: House) -> None:
    counters, landing = figures(house.port("counters")), figures(house.port("landing"))
    assert counters.problem is landing.problem is None
    assert counters.total(listed.COUNTED) == 3
    assert counters.total(listed.DUPLICATES) == 2
    assert counters.by(listed.CROSSINGS, "kind") == {"hard_limit": 1, "threshold": 3}
    assert landing.by(listed.LANDING_REJECTED, "reason") == {"invalid_value": 1}
    found = standing("landing", landing, landing)
    assert found is not None
    assert (found.catalog_version, found.epoch) == (1, 1)


def test_a_person_sees_one_screen(house: House) -> None:
    wait_for(lambda: "nothing" in house.status().stdout, "nothing to be behind")
    shown = house.status().stdout
    assert len(shown.splitlines()) <= 25
    assert all(len(line.rstrip()) <= 100 or "logs" in line for line in shown.splitlines())
    for said in (
        "counters        ready",
        "3 counted, 2 repeats, 1 rejected; 3 alerts, 1 hard limits",
        "5 landed, 1 rejected (1 invalid_value)",
        f"{house.site.url}: 4 delivered, 0 waiting, 0 given up",
        "/dead: 0 delivered, 4 waiting (for ",
        "1 ids with several contents: see the view `conflicts`",
    ):
        assert said in shown, shown


def test_a_script_gets_the_same_and_an_exit_code(house: House) -> None:
    done = house.status("--json")
    processes = {one["name"]: one for one in json.loads(done.stdout)}
    assert {name for name, one in processes.items() if one["is_ready"]} == set(STARTED)
    assert done.returncode == 1  # Dagster was not started
    counters = processes["counters"]
    assert counters["problem"] is None
    assert (counters["catalog_version"], counters["epoch"]) == (1, 1)
    assert counters["figures"]["countinghouse_counters_events_total"] == 3
    assert processes["warehouse"]["conflicts"] == 1


def test_a_receiver_that_is_down_makes_nobody_unready(house: House) -> None:
    told = figures(house.port("counters"))
    assert told.total(listed.NOTICES_RETRIED) > 0
    assert told.problem is None
