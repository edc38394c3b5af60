"""What a process serves of itself: where, and as what."""

import socket
from http.client import HTTPConnection

import pytest
from prometheus_client import CollectorRegistry

from schemas.errors import Conflict
from streams.health.health import LOOPBACK, serving


class Well:
    """A process about which there is nothing to say."""

    registry = CollectorRegistry()

    def problem(self) -> str | None:
        return None


def free_port() -> int:
    with socket.create_server((LOOPBACK, 0)) as free:
        port: int = free.getsockname()[1]
    return port


@pytest.mark.parametrize("path", ["/metrics", "/readyz"])
def test_what_is_told_says_what_it_is(path: str) -> None:
    port = free_port()
    with serving(Well(), port, "PORT"):
        wire = HTTPConnection(LOOPBACK, port, timeout=5)
        wire.request("GET", path)
        answer = wire.getresponse()
        assert (answer.status, answer.headers.get_content_type()) == (200, "text/plain")
        wire.close()


def test_it_is_told_on_the_host_that_is_set() -> None:
    port = free_port()
    with serving(Well(), port, "PORT", "127.0.0.2"):
        socket.create_connection(("127.0.0.2", port), timeout=5).close()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((LOOPBACK, port), timeout=5)


def test_a_port_in_use_is_told_with_its_setting() -> None:
    with (
        socket.create_server((LOOPBACK, 0)) as taken,
        pytest.raises(Conflict, match=r"127\.0\.0\.1 .*: set PORT"),
        serving(Well(), taken.getsockname()[1], "PORT"),
    ):
        pass  # never reached


def test_an_address_of_another_machine_is_told_with_its_setting() -> None:
    with (
        pytest.raises(Conflict, match="COUNTINGHOUSE_HOST"),
        serving(Well(), free_port(), "PORT", "192.0.2.1"),
    ):
        pass  # never reached
