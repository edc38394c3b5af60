"""How far long work is, on a person's terminal; a script sees nothing of it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from schemas import progress


@contextmanager
def stages(what: str) -> Iterator[Callable[[str], None]]:
    """What is waited for now: on a terminal in the line of `shown`, elsewhere a line for each."""
    with shown(what) as bar:
        if Console(stderr=True).is_terminal:
            yield lambda stage: bar(stage, 0, 0)
        else:
            yield lambda stage: typer.echo(stage, err=True)


@contextmanager
def shown(what: str = "reading") -> Iterator[progress.Progress]:
    """A line on stderr while work goes on, gone with it: what is done, how much of it, how long."""
    columns = SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn()
    console = Console(stderr=True)
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as bars:
        bar = bars.add_task(what, total=None)

        def tell(what: str, done: int, of: int) -> None:
            counted = f"{what}, {done:,} of {of:,}" if of else what
            bars.update(bar, description=counted, completed=done, total=of or None)

        yield tell
