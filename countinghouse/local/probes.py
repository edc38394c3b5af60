"""Whether a part answers: readiness of the stack's own processes, reachability of foreign ones.

Each probe asks once, waits a second or two at most, and answers with a truth value.
"""

import json
import socket
import time
from collections.abc import Callable
from http.client import HTTPConnection, HTTPException
from typing import Any
from urllib.parse import urlsplit

from stores.kafka import KafkaAccess

Probe = Callable[[], bool]
HEARTBEAT_SECONDS = 120  # four of Dagster's intervals
_DAEMON_HEALTH = (
    "{instance{daemonHealth{allDaemonStatuses{daemonType required lastHeartbeatTime}}}}"
)


def http_probe(host: str, port: int, path: str) -> Probe:
    """Ready when the path answers 200."""

    def probe() -> bool:
        wire = HTTPConnection(reachable(host), port, timeout=2)
        try:
            wire.request("GET", path)
            return wire.getresponse().status == 200
        except (OSError, HTTPException):
            return False
        finally:
            wire.close()

    return probe


def kafka_probe(access: KafkaAccess) -> Probe:
    """Ready when a broker tells its topics."""

    def probe() -> bool:
        from stores.kafka_trouble import trouble

        return trouble(access) is None

    return probe


def dagster_daemon_probe(host: str, port: int) -> Probe:
    """Ready when every daemon that the instance needs gave a sign within the last minutes.

    The web server is asked for it: the daemon has no port of its own.
    """

    def probe() -> bool:
        answer = _post_json(host, port, "/graphql", {"query": _DAEMON_HEALTH})
        daemons = _daemons(answer)
        oldest = time.time() - HEARTBEAT_SECONDS
        signs = [one["lastHeartbeatTime"] or 0.0 for one in daemons if one["required"]]
        return bool(signs) and min(signs) > oldest

    return probe


def _daemons(answer: Any) -> list[dict[str, Any]]:
    data = answer.get("data") if isinstance(answer, dict) else None
    return list(data["instance"]["daemonHealth"]["allDaemonStatuses"]) if data else []


def _post_json(host: str, port: int, path: str, body: object) -> Any:
    """The answer's JSON; None when there is none."""
    wire = HTTPConnection(reachable(host), port, timeout=5)
    try:
        wire.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
        return json.loads(wire.getresponse().read())
    except (OSError, HTTPException, ValueError):
        return None
    finally:
        wire.close()


def tcp_probe(url: str, default_port: int) -> Probe:
    """Reachable when something accepts a connection at the URL's host and port."""
    parts = urlsplit(url)

    def probe() -> bool:
        try:
            address = (parts.hostname or "127.0.0.1", parts.port or default_port)
            with socket.create_connection(address, timeout=2):
                return True
        except (OSError, ValueError):
            return False

    return probe


def reachable(host: str) -> str:
    """The address at which this machine finds what listens on a host."""
    return "127.0.0.1" if host == "0.0.0.0" else host  # noqa: S104
