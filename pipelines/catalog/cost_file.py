"""A file of what models cost us: reading it, and saying where it is wrong."""

from pydantic import ValidationError

from pipelines.catalog.marked_yaml import read_yaml
from schemas.costs import CostTable
from schemas.errors import InvalidInput


def parse_costs(text: str, name: str) -> CostTable:
    """Read a cost table; `name` is the file's name in errors.

    Raises:
        InvalidInput: one line `file:line:column: path: reason` for each error found.
    """
    document = read_yaml(text, name)
    try:
        return CostTable.model_validate(document.tree)
    except ValidationError as invalid:
        lines = []
        for error in invalid.errors():
            of_key = error["type"] == "extra_forbidden"
            where = ".".join(map(str, error["loc"])) or "the cost table"
            place = document.place(error["loc"], of_key=of_key or error["loc"] == ())
            lines.append(f"{place}: {where}: {error['msg'].removeprefix('Value error, ')}")
        raise InvalidInput("\n".join(lines)) from None
