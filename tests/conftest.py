"""Fixtures for every test: the embedded parts, one of each a session, started when asked for."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from countinghouse.local.kafka import SHORT_LIVED
from tests.embedded import running_broker, running_front

# Most brokers of tests live for seconds: half of their work would be to optimize themselves.
os.environ.setdefault("JAVA_TOOL_OPTIONS", SHORT_LIVED)

# Shared machines are slow at times; a deadline would fail tests for that. The same cases every run.
settings.register_profile(
    "countinghouse",
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("countinghouse")

# Who runs in the background of a shell ignores SIGINT, and where Dagster runs in such a process it
# ignores SIGTERM as well: so would every process started from here, and none could be ended.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def kafka_servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Bootstrap servers of an embedded broker; use topic names of your own."""
    with running_broker(tmp_path_factory.mktemp("kafka")) as broker:
        yield broker.servers


@pytest.fixture(scope="session")
def warehouse_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The home folder of the session's warehouse front."""
    return tmp_path_factory.mktemp("warehouse")


@pytest.fixture(scope="session")
def warehouse_url(warehouse_home: Path) -> Iterator[str]:
    """URL of a warehouse front, database `default`; use a database of your own."""
    with running_front(warehouse_home) as front:
        yield front.url
