"""Report usage from a service: run it beside `countinghouse up`.

For a Kafka with TLS or a password pass librdkafka's options as `config`: see docs/events.md.
"""

from countinghouse.client import UsageProducer

with UsageProducer("127.0.0.1:19092", source="chat-api") as usage:
    usage.record("tenant-42", "llm.request", {"input_tokens": 812, "output_tokens": 97})
