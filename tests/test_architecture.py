"""The import arrows, the exactness and the purity that the design promises; crossing one fails."""

import ast
import re
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = {
    "schemas": set(),
    "pipelines": {"schemas"},
    "stores": {"schemas"},
    "payments": {"schemas"},
    "streams": {"schemas", "pipelines", "stores"},
    "dagster_project": {"schemas", "pipelines", "stores", "payments"},
    "api": {"schemas", "pipelines", "stores", "payments"},
}
"""Who may import whom among our packages; `countinghouse` may import anything."""

LAYERS = {
    "pipelines": (
        ("bundle", "close", "explain"),
        ("checks", "reports"),
        ("corrections",),
        ("invoices",),
        ("adjustments", "rating"),
        ("usage",),
        ("segments",),
        ("admission", "catalog", "columns", "plans"),
    ),
    "streams": (
        ("rebuild", "worker"),
        ("landing", "notices", "relay"),
        ("journal",),
        ("health",),
        ("counting",),
    ),
    "stores/ledger": (
        ("payments", "subscriptions"),
        ("invoices",),
        ("extras", "months"),
        ("tables",),
    ),
}
"""Packages within ours, each above those that it may import; none knows its equals."""

THIRD_PARTY = {
    "schemas": {"pydantic", "pydantic_core", "msgspec"},
    "pipelines": {"pydantic", "pydantic_core", "msgspec", "duckdb", "numpy", "pyarrow", "yaml"},
}
"""The only packages from outside that the pure core may import."""

IMPURE = {
    "asyncio", "environ", "getenv", "http", "io", "logging", "multiprocessing", "os", "pathlib",
    "random", "requests", "secrets", "shutil", "socket", "ssl", "subprocess", "sys", "tempfile",
    "threading", "time", "urllib",
}  # fmt: skip
"""Modules of the standard library that would bring a clock, the network or files into the core."""

CLOCK_CALLS = {"now", "utcnow", "today", "open", "input", "print"}
MONEY_PATHS = ("schemas", "pipelines", "stores/ledger", "stores/warehouse", "payments")


def _modules(folder: str) -> list[Path]:
    return sorted((ROOT / folder).rglob("*.py"))


def _imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module


def _calls(path: Path) -> Iterator[tuple[str, int]]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call):
            target = node.func
            name = target.attr if isinstance(target, ast.Attribute) else getattr(target, "id", "")
            yield name, node.lineno


@pytest.mark.parametrize("package", PACKAGES)
def test_no_arrow_points_the_wrong_way(package: str) -> None:
    forbidden = {*PACKAGES, "countinghouse", "tests"} - PACKAGES[package] - {package}
    crossed = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in _modules(package)
        for name in _imports(path)
        if name.split(".")[0] in forbidden
    ]
    assert not crossed


@pytest.mark.parametrize("package", LAYERS)
def test_what_is_imported_within_a_package_lies_below(package: str) -> None:
    layers, dotted, depth = LAYERS[package], package.replace("/", "."), 1 + package.count("/")
    floors = {name: floor for floor, names in enumerate(reversed(layers)) for name in names}
    folders = {path.parent.name for path in (ROOT / package).glob("*/__init__.py")}
    assert folders - {"migrations"} == set(floors)
    crossed = [
        f"{path.relative_to(ROOT)} imports {name}"
        for own in floors
        for path in _modules(f"{package}/{own}")
        for name in _imports(path)
        if name.startswith(f"{dotted}.") and (other := name.split(".")[depth]) != own
        if other in floors and floors[other] >= floors[own]
    ]
    assert not crossed


def test_the_producer_client_needs_schemas_and_kafka_only() -> None:
    """Its spool is a file of its own, which needs less."""
    files = (ROOT / f"countinghouse/{name}.py" for name in ("client", "spool"))
    found = {name for path in files for name in _imports(path)}
    names = {name.split(".")[0] for name in found - {"countinghouse.spool"}}
    assert not names & ({*PACKAGES, "countinghouse"} - {"schemas"})
    assert names & set(packages_distributions()) <= {"schemas", "confluent_kafka", "msgspec"}


def test_every_kafka_client_takes_its_address_from_one_place() -> None:
    """One that named its servers itself would speak in plain text where all others sign in.

    What services make gets the options of librdkafka from them.
    """
    exempt = {"stores/kafka.py", "countinghouse/client.py", "countinghouse/gate.py"}
    paths = [path for folder in (*PACKAGES, "countinghouse") for path in _modules(folder)]
    naming = {
        str(path.relative_to(ROOT))
        for path in paths
        if re.search(r"bootstrap[._]servers", path.read_text())
    }
    assert naming == exempt


@pytest.mark.parametrize("package", THIRD_PARTY)
def test_the_core_is_pure(package: str) -> None:
    installed = set(packages_distributions()) - set(PACKAGES)
    for path in _modules(package):
        roots = {name.split(".")[0] for name in _imports(path)}
        assert not roots & IMPURE, f"{path} imports {roots & IMPURE}"
        assert roots & installed <= THIRD_PARTY[package], f"{path} imports {roots & installed}"
        clocks = [f"{path}:{line} {name}()" for name, line in _calls(path) if name in CLOCK_CALLS]
        assert not clocks


@pytest.mark.parametrize("folder", MONEY_PATHS)
def test_no_float_on_the_way_of_money_and_quantities(folder: str) -> None:
    floats = [
        f"{path.relative_to(ROOT)}:{line}"
        for path in _modules(folder)
        for name, line in _calls(path)
        if name == "float"
    ]
    literals = [
        f"{path.relative_to(ROOT)}:{node.lineno} {node.value}"
        for path in _modules(folder)
        if folder in ("schemas", "pipelines")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, float)
    ]
    assert not floats + literals


def test_no_package_of_ours_shadows_an_installed_one() -> None:
    ours = {*PACKAGES, "countinghouse"}
    installed = packages_distributions()
    assert not {name for name in ours & set(installed) if installed[name] != ["countinghouse"]}
