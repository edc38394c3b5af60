"""A record of Kafka, as the readers of a partition know it."""

from collections.abc import Iterable
from typing import Protocol


class Record(Protocol):
    """What there is of it beside its place; `timestamp` is its arrival (epoch ms)."""

    @property
    def offset(self) -> int: ...
    @property
    def timestamp(self) -> int: ...
    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...
    @property
    def headers(self) -> Iterable[tuple[str, bytes | None]]: ...
