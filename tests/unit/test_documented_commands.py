"""Every command that a page or a text of the code names is there, and takes the options it says."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from countinghouse.cli.app import COMMANDS, _load

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
CODE = ("countinghouse", "stores", "streams", "pipelines", "dagster_project", "payments", "api")
_QUOTED = re.compile(r"`(?:\.venv/bin/)?countinghouse\s([^`]+)`")
_TYPED = re.compile(r"^(?:countinghouse|docker compose run --rm(?: -v \S+)? api) (.+)$", re.M)


def told(text: str) -> Iterator[str]:
    """The words behind `countinghouse`, of each command that a text names."""
    for pattern in (_QUOTED, _TYPED):
        for words in pattern.findall(text):
            yield " ".join(words.partition("#")[0].partition("&&")[0].split())


def holds(words: str) -> bool:
    """Is there such a command, with such options?"""
    first, *rest = words.split()
    if first not in COMMANDS:
        return first in ("…", "--help")
    command: Any = _load(first)
    while hasattr(command, "commands") and rest and rest[0] in command.commands:
        command = command.commands[rest.pop(0)]
    if hasattr(command, "commands") and rest and re.fullmatch(r"[a-z-]+", rest[0]):
        return False
    options = {name for each in command.params for name in each.opts} | {"--help"}
    return {word.partition("=")[0] for word in rest if word.startswith("--")} <= options


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_the_commands_of_a_page_are_there(page: Path) -> None:
    assert [words for words in told(page.read_text()) if not holds(words)] == []


@pytest.mark.parametrize("folder", CODE)
def test_the_commands_that_the_code_names_are_there(folder: str) -> None:
    texts = {path: path.read_text() for path in (ROOT / folder).rglob("*.py")}
    named = [
        (str(path.relative_to(ROOT)), words)
        for path, text in texts.items()
        for words in _QUOTED.findall(text)
        if "{" not in words and "|" not in words
    ]
    assert [each for each in named if not holds(each[1])] == []
