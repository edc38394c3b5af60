"""A warehouse by https: with an authority of one's own, at any port, and never in plain text."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from countinghouse.local.checks import address_checks
from countinghouse.settings import Settings
from schemas.errors import DependencyUnreachable
from stores.warehouse.client import connect
from tests.certificates import Authority
from tests.tls_front import tls_before

pytestmark = pytest.mark.integration


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@pytest.fixture
def https_url(warehouse_url: str, authority: Authority) -> Iterator[str]:
    """The session's warehouse by TLS."""
    plain = urlsplit(warehouse_url)
    assert plain.port is not None
    with tls_before(plain.port, authority) as port:
        user = plain.netloc.rpartition("@")[0]
        yield plain._replace(scheme="https", netloc=f"{user}@127.0.0.1:{port}").geturl()


def test_a_warehouse_whose_authority_the_url_names_answers(
    https_url: str, authority: Authority
) -> None:
    url = f"{https_url}?ca_cert={authority.file}"
    with closing(connect(url)) as client:
        assert client.query("SELECT 1").result_rows == [(1,)]
    (check,) = address_checks(Settings(clickhouse=url))
    assert check.ok, str(check)
    assert "ca_cert" not in str(check)


def test_one_whose_authority_is_unknown_is_not_trusted(https_url: str) -> None:
    with pytest.raises(DependencyUnreachable, match="certificate verify failed"):
        connect(https_url)
    (check,) = address_checks(Settings(clickhouse=https_url))
    assert not check.ok
    assert "certificate verify failed" in str(check)
    assert "?ca_cert=" in str(check)
