"""Run `countinghouse` in this process, as tests of its commands do."""

import json
from typing import Any

from typer.testing import CliRunner, Result

from countinghouse.cli.app import app


def invoke(*arguments: str) -> Result:
    """What becomes of a command, whatever that is."""
    return CliRunner().invoke(app, list(arguments))


def run(*arguments: str) -> str:
    """What a command prints; its error is raised."""
    result = invoke(*arguments)
    if result.exception is not None:
        raise result.exception
    return result.stdout


def run_json(*arguments: str) -> Any:
    """What a command prints for a script."""
    return json.loads(run(*arguments, "--json"))
