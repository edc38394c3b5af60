"""Settings as environment variables: how a stack's processes all come to have the same ones."""

import os
from pathlib import Path

from pydantic import SecretStr

from countinghouse.settings import Settings

# Marks every process of a stack, and what those start: how a later command finds what was left.
MARK = "COUNTINGHOUSE_STACK"
ROOT = Path(__file__).resolve().parents[2]


def settings_environment(settings: Settings) -> dict[str, str]:
    """Every setting as its variable, so that no child's settings file changes one.

    An event limit that is off is written `off`; the home folder is absolute.
    """
    values = settings.model_dump(mode="json") | {"home": str(settings.home.absolute())}
    values |= {n: v.get_secret_value() for n, v in settings if isinstance(v, SecretStr)}
    return {f"COUNTINGHOUSE_{name.upper()}": _text(value) for name, value in values.items()}


def child_environment(settings: Settings) -> dict[str, str]:
    """The environment of the stack's processes: ours, the settings, and the mark of the home."""
    home = settings.home.absolute()
    return {
        **os.environ,
        **settings_environment(settings),
        MARK: str(home),
        "DAGSTER_HOME": str(home / "dagster"),
        "PYTHONUNBUFFERED": "1",
        "TZ": "UTC",
    }


def _text(value: object) -> str:
    if value is None:
        return "off"
    if isinstance(value, bool):
        return str(value).lower()
    return str(value)
