"""How Kafka is reached, as settings: shared by `countinghouse.settings` and Dagster's processes."""

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BaseModel, Field, SecretStr

from schemas.errors import InvalidInput
from stores.kafka import PROTOCOL, KafkaAccess, Mechanism, Protocol


def _absolute(path: str) -> str:
    """What we start may run in another folder."""
    return path and str(Path(path).absolute())


PemFile = Annotated[str, AfterValidator(_absolute)]


class KafkaSettings(BaseModel):
    """The part of the settings that says where Kafka is and how one gets in."""

    kafka: str = Field(
        "", description="Bootstrap servers of your Kafka; empty: the embedded broker."
    )
    kafka_port: int = Field(19092, description="Port of the embedded broker.")
    kafka_security_protocol: Protocol = Field(
        "PLAINTEXT",
        description="What your Kafka speaks; SSL is TLS, SASL asks for a password.",
    )
    kafka_sasl_mechanism: Mechanism = Field("PLAIN", description="How the password is checked.")
    kafka_username: str = Field("", description="Who signs in; some services call it API key.")
    kafka_password: SecretStr = Field(SecretStr(""), description="The password, or API secret.")
    kafka_ca_file: PemFile = Field(
        "", description="Authorities of the brokers' certificates; empty: those of the system."
    )
    kafka_certificate_file: PemFile = Field(
        "", description="Our own certificate, where brokers ask for one (mutual TLS)."
    )
    kafka_key_file: PemFile = Field("", description="The key of our certificate.")
    kafka_key_password: SecretStr = Field(
        SecretStr(""), description="The password of an encrypted key."
    )

    @property
    def kafka_servers(self) -> str:
        """Bootstrap servers in force."""
        return self.kafka or f"127.0.0.1:{self.kafka_port}"

    @property
    def kafka_access(self) -> KafkaAccess:
        """Where Kafka is and how one gets in.

        Raises:
            InvalidInput: these settings contradict each other, or a file cannot be used.
        """
        if not self.kafka and self.kafka_security_protocol != "PLAINTEXT":
            raise InvalidInput(
                f"{PROTOCOL}={self.kafka_security_protocol} is for a Kafka of your own, the "
                "embedded broker speaks plain text: set COUNTINGHOUSE_KAFKA, or unset "
                f"{PROTOCOL}"
            )
        return KafkaAccess(
            self.kafka_servers,
            security_protocol=self.kafka_security_protocol,
            sasl_mechanism=self.kafka_sasl_mechanism,
            username=self.kafka_username,
            password=self.kafka_password.get_secret_value(),
            ca_file=self.kafka_ca_file,
            certificate_file=self.kafka_certificate_file,
            key_file=self.kafka_key_file,
            key_password=self.kafka_key_password.get_secret_value(),
        )
