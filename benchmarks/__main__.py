"""All benchmarks, one after the other, on a broker and a warehouse of their own: `make bench`.

Each can be run alone as well; see benchmarks/README.md.
"""

import socket
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from countinghouse.local.stack import LocalStack
from countinghouse.settings import Settings

PORTS = ("kafka_port", "kafka_controller_port", "warehouse_port")


def _free_ports(count: int) -> list[int]:
    with ExitStack() as opened:
        sockets = [opened.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


def main() -> None:
    """Start the stores, run every benchmark, stop the stores."""
    with tempfile.TemporaryDirectory() as folder:
        ports = dict(zip(PORTS, _free_ports(len(PORTS)), strict=True))
        settings = Settings.model_validate({"home": Path(folder), **ports})
        with LocalStack(settings, ["kafka", "warehouse"]):
            kafka = ["--kafka", settings.kafka_servers]
            _run("counting", *kafka, "--events", "1000000")
            _run("latency", *kafka, "--seconds", "20")
            _run("takeover", *kafka, "--counters", "1000000")
            clickhouse = Settings.model_validate({"home": Path(folder), **ports}).clickhouse_url
            _run("landing", *kafka, "--clickhouse", clickhouse, "--events", "1000000")
            _run("explain", "--clickhouse", clickhouse, "--events", "1000000")
            _run("aggregate", "--clickhouse", clickhouse, "--rows", "20000000")
            _run("closing", "--clickhouse", clickhouse, "--tenants", "100000", "--months", "2")
        _run("rating", "--tenants", "1000000")
        _run("gate", "--tenants", "100000")


def _run(name: str, *arguments: str) -> None:
    print(f"\n== {name}", flush=True)
    subprocess.run([sys.executable, "-m", f"benchmarks.{name}", *arguments], check=True)


if __name__ == "__main__":
    main()
