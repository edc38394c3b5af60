"""Which jars the embedded broker needs, and that a wrong one is never used."""

import hashlib
from pathlib import Path

import pytest

from countinghouse.local import jars
from countinghouse.local.jars import KAFKA_VERSION, Jar, cache_folder, missing_jars, pinned_jars
from schemas.errors import BillingError

CONTENT = b"a jar"
A_JAR = Jar("org.example", "a", "1.0", hashlib.sha256(CONTENT).hexdigest(), len(CONTENT))


def put(folder: Path, content: bytes) -> Path:
    path = A_JAR.path(folder)
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    return path


def test_all_of_kafka_has_one_version() -> None:
    kafka = {jar.version for jar in pinned_jars() if jar.group == "org.apache.kafka"}
    assert kafka == {KAFKA_VERSION}


def test_every_jar_is_pinned_by_hash_and_size() -> None:
    assert len(pinned_jars()) > 40
    assert all(len(jar.sha256) == 64 and jar.size > 0 for jar in pinned_jars())


def test_one_logging_binding_only() -> None:
    bindings = [jar for jar in pinned_jars() if jar.artifact.startswith(("log4j-slf4j", "slf4j-"))]
    assert [jar.artifact for jar in bindings] == ["log4j-slf4j-impl", "slf4j-api"]


def test_an_empty_cache_lacks_every_jar(tmp_path: Path) -> None:
    assert missing_jars(tmp_path) == list(pinned_jars())


@pytest.mark.parametrize(("content", "present"), [(CONTENT, True), (CONTENT[:2], False)])
def test_a_file_cut_short_does_not_count(tmp_path: Path, content: bytes, present: bool) -> None:
    put(tmp_path, content)
    assert A_JAR.is_present(tmp_path) is present


def test_a_downloaded_file_that_is_not_the_pinned_one_is_deleted(tmp_path: Path) -> None:
    path = put(tmp_path, b"other")
    with pytest.raises(BillingError, match="not the pinned file"):
        jars._verify(A_JAR, path)
    assert not path.exists()


def test_the_cache_is_the_users(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "countinghouse" / "maven"
