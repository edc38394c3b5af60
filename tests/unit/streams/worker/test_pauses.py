"""A client that no broker answers rests before it asks again."""

import asyncio
import time

from aiokafka.client import AIOKafkaClient

from streams.worker import pauses


async def _asked_in_vain() -> bool:
    client = AIOKafkaClient(bootstrap_servers="127.0.0.1:1")
    is_answered: bool = await client._metadata_update(client.cluster, [])
    await client.close()
    return is_answered


def test_metadata_that_nobody_gives_is_not_asked_for_at_once_again() -> None:
    pauses.install()
    pauses.install()
    began = time.monotonic()
    assert not asyncio.run(_asked_in_vain())
    assert time.monotonic() - began >= pauses.METADATA_PAUSE_S
