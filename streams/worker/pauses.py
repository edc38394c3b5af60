"""How long aiokafka rests before it asks a broker again, where it has no setting for that.

Owns no connection: it changes a call of the library's own, once a process.
"""

import asyncio
from collections.abc import Collection
from typing import cast

from aiokafka.client import AIOKafkaClient
from aiokafka.cluster import ClusterMetadata

METADATA_PAUSE_S = 0.1
"""While no broker answers, every client asks for the cluster's state without a pause: a worker's
twenty take a whole core from the broker that is starting, and from whoever stops beside them."""

_ask_at_once = AIOKafkaClient._metadata_update


async def _ask(self: AIOKafkaClient, cluster: ClusterMetadata, topics: Collection[str]) -> bool:
    is_answered = cast(bool, await _ask_at_once(self, cluster, topics))
    if not is_answered:
        await asyncio.sleep(METADATA_PAUSE_S)
    return is_answered


def install() -> None:
    """Make every aiokafka client of this process rest; again changes nothing."""
    AIOKafkaClient._metadata_update = _ask
