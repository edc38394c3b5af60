"""Act when a tenant reaches its hard limit: run it beside `countinghouse up`.

It finds Kafka by the same settings as countinghouse itself: COUNTINGHOUSE_KAFKA and the like.
"""

import msgspec
from confluent_kafka import Consumer

from countinghouse.settings import Settings
from schemas.quota import QuotaExceeded

consumer = Consumer(
    {
        **Settings().kafka_access.confluent(),
        "group.id": "my-service",
        "isolation.level": "read_committed",  # each fact once; without this, aborted ones, too
        "auto.offset.reset": "earliest",
    }
)
consumer.subscribe(["quota.exceeded"])
while True:
    message = consumer.poll(1)
    if message is None or message.error():
        continue
    quota = msgspec.json.decode(message.value() or b"", type=QuotaExceeded)
    print(f"{quota.tenant} has used {quota.used} of {quota.limit} {quota.meter}: stop serving it")
