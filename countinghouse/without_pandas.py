"""Leaves pandas out of a process of ours: half a second or more, and nobody asks for it.

It is there because chdb, which is the warehouse's own, brings it; and where it is there, pyarrow
loads it with the first array that it makes.
"""

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType


class _LeftOut(MetaPathFinder):
    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname == "pandas":
            raise ModuleNotFoundError("pandas is left out of this process", name=fullname)
        return None


def leave_pandas_out() -> None:
    """From here on `import pandas` fails as if it were not installed.

    Libraries that can do without it do. `sys.modules["pandas"] = None`, which means the same to
    Python, is more than pyarrow and DuckDB can bear: they take it for the module.
    """
    if not any(isinstance(finder, _LeftOut) for finder in sys.meta_path):
        sys.meta_path.insert(0, _LeftOut())
