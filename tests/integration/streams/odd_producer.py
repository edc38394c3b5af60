"""A producer in C: it writes headers whose names are no UTF-8, which no Python client does.

It is the library within confluent-kafka, called past its Python side.
"""

import ctypes
from collections.abc import Iterable
from ctypes import c_char_p, c_int, c_size_t, c_ssize_t, c_void_p
from pathlib import Path

import confluent_kafka

ODD_NAME = b"caf\xe9\xff"

_PRODUCER = 0
_END, _TOPIC, _VALUE, _KEY, _FLAGS, _HEADERS = 0, 1, 4, 5, 7, 10
"""Tags of `rd_kafka_producev`."""
_COPY = 2
_FLUSH_MS = 10_000

_installed = Path(confluent_kafka.__file__).parent
_LIBRARY = ctypes.CDLL(
    str(next(path for path in _installed.parent.glob("confluent_kafka*/**/librdkafka*")))
)
_LIBRARY.rd_kafka_conf_new.restype = c_void_p
_LIBRARY.rd_kafka_new.restype = c_void_p
_LIBRARY.rd_kafka_headers_new.restype = c_void_p


def send_oddly(servers: str, topic: str, messages: Iterable[tuple[bytes, bytes, bytes]]) -> None:
    """Send records, given by key, value and the name of their only header, as one producer does."""
    producer = _producer(
        {
            "bootstrap.servers": servers,
            "partitioner": "murmur2_random",
            "compression.type": "zstd",
            "linger.ms": "50",
        }
    )
    try:
        for key, value, name in messages:
            _send(producer, topic.encode(), key, value, name)
        assert _LIBRARY.rd_kafka_flush(producer, c_int(_FLUSH_MS)) == 0
    finally:
        _LIBRARY.rd_kafka_destroy(producer)


def _producer(settings: dict[str, str]) -> c_void_p:
    told = ctypes.create_string_buffer(512)
    settled = c_void_p(_LIBRARY.rd_kafka_conf_new())
    for name, value in settings.items():
        pair = c_char_p(name.encode()), c_char_p(value.encode())
        assert _LIBRARY.rd_kafka_conf_set(settled, *pair, told, c_size_t(512)) == 0, told.value
    producer = c_void_p(_LIBRARY.rd_kafka_new(c_int(_PRODUCER), settled, told, c_size_t(512)))
    assert producer, told.value
    return producer


def _send(producer: c_void_p, topic: bytes, key: bytes, value: bytes, name: bytes) -> None:
    headers = c_void_p(_LIBRARY.rd_kafka_headers_new(c_size_t(1)))
    one = c_char_p(name), c_ssize_t(len(name)), c_char_p(b"1"), c_ssize_t(1)
    assert _LIBRARY.rd_kafka_header_add(headers, *one) == 0
    failed = _LIBRARY.rd_kafka_producev(
        producer,
        *(c_int(_TOPIC), c_char_p(topic)),
        *(c_int(_FLAGS), c_int(_COPY)),
        *(c_int(_VALUE), c_char_p(value), c_size_t(len(value))),
        *(c_int(_KEY), c_char_p(key), c_size_t(len(key))),
        *(c_int(_HEADERS), headers),
        c_int(_END),
    )
    assert failed == 0
