"""An epoch: one life of the usage topic, and the generation of topics that it belongs to."""

from dataclasses import dataclass

from schemas.topics import generation_of
from schemas.vector import Vector


@dataclass(frozen=True, slots=True)
class Epoch:
    """A topic by Kafka's own id, numbered from 1 in the order of their opening.

    `ends` is where it ended, once another one followed and nothing can be added to it.
    """

    number: int
    topic_id: str
    topic: str
    partitions: int
    opened_ms: int
    ends: Vector | None = None

    @property
    def generation(self) -> int:
        """The generation of the topics whose partitions belong together with its own."""
        return generation_of(self.topic)
