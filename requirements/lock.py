"""Renews the locked requirements, each file within the versions of the larger one.

Owns what is compiled and the fingerprint by which a test notices that declarations have changed.
It writes hashes and versions, never an address to download from. What is locked already stays
unless `--upgrade` is given (`make lock ARGS=--upgrade`).
"""

import hashlib
import json
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# Largest first: every other file is compiled within its versions, so all of them agree.
FILES: dict[str, list[str]] = {
    "dev": ["pyproject.toml", "--extra", "local", "--group", "dev"],
    "local": ["pyproject.toml", "--extra", "local", "--constraint", "requirements/dev.txt"],
    "base": ["pyproject.toml", "--constraint", "requirements/dev.txt"],
    "build": ["--group", "build", "--constraint", "requirements/dev.txt"],
}
OPTIONS = [
    "--universal",
    "--python-version=3.11",
    "--generate-hashes",
    "--no-annotate",
    "--no-header",
    "--no-emit-index-url",
    "--no-emit-find-links",
    "--quiet",
]


def fingerprint(pyproject: Path) -> str:
    """A digest of the declared dependencies alone: other edits of `pyproject.toml` keep it."""
    declared = tomllib.loads(pyproject.read_text())
    project = declared["project"]
    parts = [
        project["requires-python"],
        project["dependencies"],
        project["optional-dependencies"],
        declared["dependency-groups"],
    ]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def header(pyproject: Path) -> str:
    """The first lines of every lock."""
    return f"# Written by `make lock`; edit pyproject.toml instead.\n# {fingerprint(pyproject)}\n"


def lock(name: str, arguments: list[str]) -> None:
    """Compile one file and put the header above it."""
    print(f"locking requirements/{name}.txt", flush=True)
    output = ROOT / "requirements" / f"{name}.txt"
    command = [sys.executable, "-m", "uv", "pip", "compile", *arguments, *OPTIONS, *sys.argv[1:]]
    command += ["--output-file", str(output)]
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    output.write_text(header(ROOT / "pyproject.toml") + output.read_text())


def main() -> None:
    """Renew all files."""
    for name, arguments in FILES.items():
        lock(name, arguments)


if __name__ == "__main__":
    main()
