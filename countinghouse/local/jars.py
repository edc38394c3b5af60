"""The embedded broker's jars: which ones, where they are kept, and that they are the right ones.

`kafka_jars.txt` pins every file by coordinate, SHA-256 and size; jgo fetches what is missing from
Maven Central into the user's cache folder.
"""

import fcntl
import hashlib
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path

from schemas.errors import BillingError, DependencyUnreachable

KAFKA_VERSION = "4.1.2"
_DOWNLOADS = 4  # at once; more does not make a small cache faster


@dataclass(frozen=True, slots=True)
class Jar:
    """One pinned file of Maven Central."""

    group: str
    artifact: str
    version: str
    sha256: str
    size: int

    def __str__(self) -> str:
        return f"{self.group}:{self.artifact}:{self.version}"

    def path(self, cache_folder: Path) -> Path:
        """Where the file lies, in Maven's own layout."""
        folder = cache_folder.joinpath(*self.group.split("."), self.artifact, self.version)
        return folder / f"{self.artifact}-{self.version}.jar"

    def is_present(self, cache_folder: Path) -> bool:
        """Whether a whole file is there; its hash was checked when it came."""
        path = self.path(cache_folder)
        return path.exists() and path.stat().st_size == self.size


@cache
def pinned_jars() -> tuple[Jar, ...]:
    """The files of `kafka_jars.txt`."""
    text = files(__package__).joinpath("kafka_jars.txt").read_text()
    return tuple(_parse(line) for line in text.splitlines() if not line.startswith("#"))


def cache_folder() -> Path:
    """The user's cache for jars; shared by all homes."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "countinghouse" / "maven"


def missing_jars(folder: Path) -> list[Jar]:
    """Which files must still be downloaded."""
    return [jar for jar in pinned_jars() if not jar.is_present(folder)]


def ensure_jars(folder: Path, report: Callable[[str], None]) -> list[Path]:
    """The class path, downloaded where needed.

    Raises:
        DependencyUnreachable: Maven Central does not answer.
        BillingError: a file that came is not the pinned one.
    """
    if missing_jars(folder):
        folder.mkdir(parents=True, exist_ok=True)
        with _locked(folder / "lock"):
            _download(missing_jars(folder), folder, report)
    return [jar.path(folder) for jar in pinned_jars()]


def _parse(line: str) -> Jar:
    coordinate, sha256, size = line.split()
    group, artifact, version = coordinate.split(":")
    return Jar(group, artifact, version, sha256, int(size))


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """One download at a time, also among processes."""
    with path.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _download(jars: list[Jar], folder: Path, report: Callable[[str], None]) -> None:
    if not jars:
        return
    megabytes = sum(jar.size for jar in jars) / 1e6
    report(f"downloading Apache Kafka {KAFKA_VERSION}: {len(jars)} jars, {megabytes:.0f} MB")
    with ThreadPoolExecutor(_DOWNLOADS) as pool:
        for _ in pool.map(lambda jar: _fetch(jar, folder), jars):
            pass


def _fetch(jar: Jar, folder: Path) -> None:
    from jgo.maven import MavenContext

    path = jar.path(folder)
    path.unlink(missing_ok=True)  # what a killed download left
    context = MavenContext(repo_cache=folder, timeout=60)
    try:
        context.project(jar.group, jar.artifact).at_version(jar.version).artifact().resolve()
    except (OSError, RuntimeError) as error:
        path.unlink(missing_ok=True)
        raise DependencyUnreachable(
            f"{jar} cannot be downloaded from Maven Central ({error}): check the network and the "
            f"proxy settings, or set COUNTINGHOUSE_KAFKA to a Kafka of yours"
        ) from error
    _verify(jar, path)


def _verify(jar: Jar, path: Path) -> None:
    if hashlib.sha256(path.read_bytes()).hexdigest() != jar.sha256:
        path.unlink()
        raise BillingError(f"{jar} as downloaded is not the pinned file and was deleted; try again")
