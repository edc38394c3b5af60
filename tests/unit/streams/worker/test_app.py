"""What a worker of counters starts."""

from pathlib import Path

from faust.types.transports import ConsumerT, ProducerT

from streams.worker.app import build
from tests.unit.streams.builders import a_config


def test_faust_itself_connects_to_nothing(tmp_path: Path) -> None:
    """It knows the servers by name alone, neither certificates nor passwords."""
    app = build(a_config(tmp_path))
    started = list(app.boot_strategy.server())
    assert started
    assert not [each for each in started if isinstance(each, (ConsumerT, ProducerT))]
