"""The local stack: Kafka, ClickHouse and every process of countinghouse on one machine, no Docker.

Owns how the embedded parts are obtained, started, watched and stopped. Nothing that runs in
production imports it.
"""
