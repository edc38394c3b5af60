"""How far a partition's counters are behind the log."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PartitionLag:
    """`counted` is an exclusive offset, None while the partition is being loaded.

    `records` and `seconds` are 0 when nothing is behind; `seconds` is the age of the next record
    that is not counted, or a little more. `is_moving`: the offset moves, or nothing is behind.
    """

    partition: int
    counted: int | None
    records: int
    seconds: float
    is_moving: bool
