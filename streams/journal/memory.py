"""What a journal leaves in memory when it is closed after its last write."""

from dataclasses import dataclass

from streams.counting.shard import Shard


@dataclass(frozen=True, slots=True)
class Memory:
    """A shard that was let go, to go on from if the partition comes back to this process.

    It stands for as long as nobody else wrote: `quota.state` ends (exclusive) where it ended with
    what was written of this shard, `state_end`. `written` is the usage offset in that record,
    `entitlements` how far they were applied. What the shard counted beyond `written` stands as
    well: it is a function of the log, and nobody has written another.
    """

    shard: Shard
    written: int
    entitlements: int
    state_end: int
