"""The embedded broker with listeners that ask who a client is, for tests."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from confluent_kafka.admin import (  # type: ignore[attr-defined]
    AclBinding,
    AclOperation,
    AclPermissionType,
    AdminClient,
    ResourcePatternType,
    ResourceType,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)

from countinghouse.local import kafka
from countinghouse.settings import Settings
from tests.certificates import Authority
from tests.embedded import free_ports, running_broker

USER, PASSWORD = "counting", "a password = with, signs"
LISTENERS = "TEST_LISTENERS"
SCRAM = ScramMechanism.SCRAM_SHA_512
PREFIXED, ALLOW = ResourcePatternType.PREFIXED, AclPermissionType.ALLOW

# Of two lines with one name Kafka takes the last; these stand below the product's own.
PROPERTIES = """
listeners=PLAINTEXT://127.0.0.1:{{port}},SIGNED://{signed},MUTUAL://{mutual},\
CONTROLLER://127.0.0.1:{{controller_port}}
advertised.listeners=PLAINTEXT://127.0.0.1:{{port}},SIGNED://{signed},MUTUAL://{mutual}
listener.security.protocol.map=\
PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SIGNED:SASL_SSL,MUTUAL:SSL
ssl.keystore.type=PEM
ssl.keystore.location={keystore}
ssl.truststore.type=PEM
ssl.truststore.location={authority}
listener.name.mutual.ssl.client.auth=required
sasl.enabled.mechanisms=SCRAM-SHA-512,PLAIN
listener.name.signed.scram-sha-512.sasl.jaas.config=\
org.apache.kafka.common.security.scram.ScramLoginModule required;
listener.name.signed.plain.sasl.jaas.config=\
org.apache.kafka.common.security.plain.PlainLoginModule required user_{user}="{password}";
authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer
super.users=User:ANONYMOUS
"""

ON_TOPICS = "CREATE DESCRIBE READ WRITE DESCRIBE_CONFIGS ALTER_CONFIGS"
TOPICS = ("usage.", "quota.", "entitlements", "billing.")
RIGHTS = [
    *((ResourceType.TOPIC, name, ON_TOPICS) for name in TOPICS),
    (ResourceType.GROUP, "countinghouse-", "DESCRIBE READ"),
    (ResourceType.TRANSACTIONAL_ID, "countinghouse-", "DESCRIBE WRITE"),
]
"""What docs/production.md says that our user needs, by the beginnings of names."""


@dataclass(frozen=True)
class Secured:
    """A running broker: `signed` wants a password, `mutual` a certificate, `inside` nothing.

    Who signs in has the rights that our user needs, and who shows a certificate none.
    """

    authority: Authority
    signed: str
    mutual: str
    inside: str

    def by_password(self) -> dict[str, Any]:
        """Settings that sign in."""
        return {
            "kafka": self.signed,
            "kafka_security_protocol": "SASL_SSL",
            "kafka_sasl_mechanism": "SCRAM-SHA-512",
            "kafka_username": USER,
            "kafka_password": PASSWORD,
            "kafka_ca_file": str(self.authority.file),
        }

    def by_certificate(self) -> dict[str, Any]:
        """Settings that show a certificate, whose key is encrypted."""
        ours = self.authority.sign("client", key_password=PASSWORD)
        return {
            "kafka": self.mutual,
            "kafka_security_protocol": "SSL",
            "kafka_ca_file": str(self.authority.file),
            "kafka_certificate_file": str(ours.certificate),
            "kafka_key_file": str(ours.key),
            "kafka_key_password": PASSWORD,
        }


@contextmanager
def secured_broker(home: Path) -> Iterator[Secured]:
    """An embedded broker on the folder of a home, with an authority of its own."""
    authority = Authority(home)
    keystore = home / "keystore.pem"
    keystore.write_text(authority.sign("broker").as_one())
    signed, mutual = (f"127.0.0.1:{port}" for port in free_ports(2))
    listeners = PROPERTIES.format(
        signed=signed,
        mutual=mutual,
        keystore=keystore,
        authority=authority.file,
        user=USER,
        password=PASSWORD,
    )
    with running_broker(home, "tests.secured", {LISTENERS: listeners}) as broker:
        _let_in(broker.servers)
        yield Secured(authority, signed, mutual, broker.servers)


def _let_in(servers: str) -> None:
    admin = AdminClient({"bootstrap.servers": servers})  # it must outlive the answer
    credential = ScramCredentialInfo(SCRAM, 4096)
    known = UserScramCredentialUpsertion(USER, credential, PASSWORD.encode())
    rights = [
        AclBinding(kind, name, PREFIXED, f"User:{USER}", "*", AclOperation[one], ALLOW)
        for kind, name, operations in RIGHTS
        for one in operations.split()
    ]
    made = admin.alter_user_scram_credentials([known]), admin.create_acls(rights)
    for answer in (answer for answers in made for answer in answers.values()):
        answer.result()


if __name__ == "__main__":
    kafka.SERVER_PROPERTIES += os.environ[LISTENERS]
    kafka.run(kafka.Broker.of(Settings()))
