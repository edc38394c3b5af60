"""docs/settings.md: every setting with its default, made from `countinghouse.settings`."""

from typing import Literal, get_args, get_origin

from pydantic.fields import FieldInfo
from pydantic_core import to_jsonable_python

from countinghouse.settings import Settings

_HEAD = """# The settings

Generated from `countinghouse/settings.py` by `make docs`.

Set them in the environment, or in TOML in a file `countinghouse.toml` in the working folder, there
in lower case and without `COUNTINGHOUSE_`; the environment comes first. Dagster's processes read
only the environment. Durations are ISO 8601 (`P35D`, `PT1H`) or seconds. An empty address means the
part of the local stack.

| `COUNTINGHOUSE_…` | Default | Meaning |
| --- | --- | --- |
"""


def settings_page() -> str:
    """docs/settings.md."""
    rows = [_row(name, field) for name, field in Settings.model_fields.items()]
    return _HEAD + "\n".join([*rows, ""])


def _row(name: str, field: FieldInfo) -> str:
    default = to_jsonable_python(field.default)
    shown = str(default).lower() if isinstance(default, bool) else str(default)
    cell = f"`{shown}`" if shown else ""
    return f"| `{name.upper()}` | {cell} | {field.description}{_choices(field)} |"


def _choices(field: FieldInfo) -> str:
    if get_origin(field.annotation) is not Literal:
        return ""
    return f" One of {', '.join(f'`{choice}`' for choice in get_args(field.annotation))}."
