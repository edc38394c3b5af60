"""What long work says of how far it is, to whoever looks on."""

from collections.abc import Callable

Progress = Callable[[str, int, int], None]
"""Told what is under way, how much of it is done and of how much; 0 of 0 where nobody knows."""


def unseen(what: str, done: int, of: int) -> None:
    """Nobody looks on."""
