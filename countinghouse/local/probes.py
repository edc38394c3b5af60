"""Whether a part answers: readiness of the stack's own processes, reachability of foreign ones.

Each probe asks once, waits a second or two at most, and answers with a truth value.
"""

from collections.abc import Callable
from http.client import HTTPConnection, HTTPException
from urllib.parse import urlsplit

Probe = Callable[[], bool]


def http_probe(host: str, port: int, path: str) -> Probe:
    """Ready when the path answers 200."""

    def probe() -> bool:
        wire = HTTPConnection(_reachable(host), port, timeout=2)
        try:
            wire.request("GET", path)
            return wire.getresponse().status == 200
        except (OSError, HTTPException):
            return False
        finally:
            wire.close()

    return probe


def kafka_probe(servers: str) -> Probe:
    """Ready when a broker tells its topics."""

    def probe() -> bool:
        from confluent_kafka import KafkaException
        from confluent_kafka.admin import AdminClient

        # Its complaints about a broker that is not there yet would go to the terminal.
        admin = AdminClient({"bootstrap.servers": servers, "log_level": 0})
        try:
            return bool(admin.list_topics(timeout=2).brokers)
        except KafkaException:
            return False

    return probe


def clickhouse_probe(url: str) -> Probe:
    """Reachable when its /ping answers."""
    parts = urlsplit(url)
    return http_probe(parts.hostname or "", parts.port or 8123, "/ping")


def _reachable(host: str) -> str:
    return "127.0.0.1" if host == "0.0.0.0" else host  # noqa: S104
