"""Tenants are at home where Kafka's Java clients put them."""

from aiokafka.partitioner import murmur2
from hypothesis import given
from hypothesis import strategies as st

from schemas.partitions import partition_of


@given(st.binary(max_size=40), st.integers(1, 100))
def test_the_partition_of_a_key_is_java_s(key: bytes, partitions: int) -> None:
    assert partition_of(key, partitions) == (murmur2(key) & 0x7FFFFFFF) % partitions
