"""What a worker of counters starts."""

import socket
from dataclasses import replace
from pathlib import Path

import pytest
from faust.types.transports import ConsumerT, ProducerT

from schemas.errors import Conflict
from streams.worker.app import build, run
from tests.unit.streams.builders import a_config


def test_faust_itself_connects_to_nothing(tmp_path: Path) -> None:
    """It knows the servers by name alone, neither certificates nor passwords."""
    app = build(a_config(tmp_path))
    started = list(app.boot_strategy.server())
    assert started
    assert not [each for each in started if isinstance(each, (ConsumerT, ProducerT))]


def test_it_tells_of_itself_where_it_is_told_to(tmp_path: Path) -> None:
    config = replace(a_config(tmp_path), host="0.0.0.0")  # noqa: S104
    assert build(config).conf.web_bind == "0.0.0.0"  # noqa: S104


def test_a_port_that_is_in_use_is_told_in_one_line(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        config = replace(a_config(tmp_path), web_port=taken.getsockname()[1])
        with pytest.raises(
            Conflict, match=r"already in use\): set COUNTINGHOUSE_COUNTERS_PORT to a free one"
        ):
            run(config)
