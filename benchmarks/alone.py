"""A part of a benchmark in a process of its own, so that its memory is its own.

Like every process of the command line it leaves pandas out, which would else be loaded within
whatever is measured first.
"""

from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import ParamSpec, TypeVar

from countinghouse.without_pandas import leave_pandas_out

P = ParamSpec("P")
R = TypeVar("R")


def alone(work: Callable[P, R], *args: P.args, **named: P.kwargs) -> R:
    """What it returns; `work` is a function of a module."""
    with ProcessPoolExecutor(1, get_context("spawn"), initializer=leave_pandas_out) as pool:
        return pool.submit(work, *args, **named).result()
