"""One value says how every Kafka client gets in; what contradicts itself is refused by name."""

import asyncio
import ssl
from dataclasses import replace
from typing import Any

import pytest
from aiokafka.client import AIOKafkaClient
from confluent_kafka import Producer

from schemas.errors import InvalidInput
from stores.kafka import KafkaAccess
from tests.certificates import Authority, Signed

PASSWORD = "hush = hush"
BY_PASSWORD: dict[str, Any] = {
    "security_protocol": "SASL_SSL",
    "sasl_mechanism": "SCRAM-SHA-512",
    "username": "counting",
    "password": PASSWORD,
}


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def ours(authority: Authority) -> Signed:
    return authority.sign("ours", key_password=PASSWORD)


@pytest.fixture
def by_certificate(authority: Authority, ours: Signed) -> KafkaAccess:
    return KafkaAccess(
        "kafka:9093",
        security_protocol="SSL",
        ca_file=str(authority.file),
        certificate_file=str(ours.certificate),
        key_file=str(ours.key),
        key_password=PASSWORD,
    )


def test_plain_text_needs_servers_alone() -> None:
    plain = KafkaAccess("kafka:9092")
    assert plain.confluent() == {
        "bootstrap.servers": "kafka:9092",
        "security.protocol": "PLAINTEXT",
    }
    assert plain.aiokafka() == {
        "bootstrap_servers": "kafka:9092",
        "security_protocol": "PLAINTEXT",
    }


def test_a_password_goes_to_both_libraries() -> None:
    access = KafkaAccess("kafka:9093", **BY_PASSWORD)
    assert access.confluent() == {
        "bootstrap.servers": "kafka:9093",
        "security.protocol": "SASL_SSL",
        "sasl.mechanism": "SCRAM-SHA-512",
        "sasl.username": "counting",
        "sasl.password": PASSWORD,
    }
    options = access.aiokafka()
    assert options.pop("ssl_context").verify_mode is ssl.CERT_REQUIRED
    assert options == {
        "bootstrap_servers": "kafka:9093",
        "security_protocol": "SASL_SSL",
        "sasl_mechanism": "SCRAM-SHA-512",
        "sasl_plain_username": "counting",
        "sasl_plain_password": PASSWORD,
    }


def test_a_certificate_goes_to_both_libraries(
    by_certificate: KafkaAccess, authority: Authority, ours: Signed
) -> None:
    assert by_certificate.confluent() == {
        "bootstrap.servers": "kafka:9093",
        "security.protocol": "SSL",
        "ssl.ca.location": str(authority.file),
        "ssl.certificate.location": str(ours.certificate),
        "ssl.key.location": str(ours.key),
        "ssl.key.password": PASSWORD,
    }
    options = by_certificate.aiokafka()
    assert [each["subject"] for each in options["ssl_context"].get_ca_certs()] == [
        ((("commonName", "a test's authority"),),)
    ]
    assert "sasl_mechanism" not in options


def test_both_libraries_take_their_options(by_certificate: KafkaAccess) -> None:
    async def taken(access: KafkaAccess) -> None:
        AIOKafkaClient(**access.aiokafka())
        Producer({**access.confluent(), "log_level": 0})

    for access in (by_certificate, KafkaAccess("127.0.0.1:1", **BY_PASSWORD)):
        asyncio.run(taken(access))


def test_what_is_secret_is_not_shown(by_certificate: KafkaAccess) -> None:
    assert PASSWORD not in repr(KafkaAccess("kafka:9093", **BY_PASSWORD))
    assert PASSWORD not in repr(by_certificate)


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"username": ""}, "COUNTINGHOUSE_KAFKA_USERNAME is not set"),
        ({"password": ""}, "COUNTINGHOUSE_KAFKA_PASSWORD is not set"),
        ({"security_protocol": "SSL"}, "COUNTINGHOUSE_KAFKA_USERNAME is set"),
        ({"security_protocol": "PLAINTEXT", "username": ""}, "COUNTINGHOUSE_KAFKA_PASSWORD is set"),
        ({"ca_file": "/not/there"}, "COUNTINGHOUSE_KAFKA_CA_FILE names /not/there"),
        ({"certificate_file": __file__}, "without COUNTINGHOUSE_KAFKA_KEY_FILE"),
        ({"key_file": __file__}, "without COUNTINGHOUSE_KAFKA_CERTIFICATE_FILE"),
        ({"key_password": "x"}, "COUNTINGHOUSE_KAFKA_KEY_PASSWORD is set without"),
        ({"security_protocol": "SASL_PLAINTEXT", "ca_file": __file__}, "CA_FILE is set, and"),
        ({"ca_file": __file__}, f"COUNTINGHOUSE_KAFKA_CA_FILE={__file__} cannot be used"),
    ],
)
def test_what_contradicts_itself_is_refused_by_its_variable(
    changes: dict[str, Any], named: str
) -> None:
    with pytest.raises(InvalidInput, match=named) as refused:
        KafkaAccess("kafka:9093", **{**BY_PASSWORD, **changes})
    assert PASSWORD not in str(refused.value)


@pytest.mark.parametrize("password", ["", "wrong"])
def test_a_key_that_cannot_be_opened_is_refused_without_asking_for_its_password(
    by_certificate: KafkaAccess, password: str
) -> None:
    with pytest.raises(InvalidInput, match="COUNTINGHOUSE_KAFKA_KEY_PASSWORD"):
        replace(by_certificate, key_password=password)


def test_a_certificate_with_another_key_is_refused(
    by_certificate: KafkaAccess, authority: Authority
) -> None:
    other = authority.sign("other")
    with pytest.raises(InvalidInput, match="a certificate and its own key"):
        replace(by_certificate, key_file=str(other.key))
