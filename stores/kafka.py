"""Where Kafka is and how one gets in; what each client library calls that is known here alone.

Every Kafka client of ours takes its address from here, so that none speaks in plain text where the
others sign in. Settings that contradict each other are refused by the names of their variables.
"""

import os
import ssl
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

from schemas.errors import InvalidInput

Protocol = Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]
Mechanism = Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]

VARIABLE = "COUNTINGHOUSE_KAFKA_"
PROTOCOL = f"{VARIABLE}SECURITY_PROTOCOL"
CREDENTIALS = ("username", "password")
FILES = ("ca_file", "certificate_file", "key_file")
TOGETHER = (("certificate_file", "key_file"), ("key_file", "certificate_file"),
            ("key_password", "key_file"))  # fmt: skip
"""What has no use without the other."""


@dataclass(frozen=True, slots=True)
class KafkaAccess:
    """Bootstrap servers, and what they ask of a client: nothing, unless said otherwise.

    Files are PEM. Without `ca_file` the system's authorities vouch for the brokers.

    Raises:
        InvalidInput: the parts contradict each other, or a file cannot be used.
    """

    servers: str
    security_protocol: Protocol = "PLAINTEXT"
    sasl_mechanism: Mechanism = "PLAIN"
    username: str = ""
    password: str = field(default="", repr=False)
    ca_file: str = ""
    certificate_file: str = ""
    key_file: str = ""
    key_password: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        for contradiction in (*self._of_credentials(), *self._of_files()):
            raise InvalidInput(contradiction)
        if self.is_encrypted:
            self._context()  # files that cannot be used are told now, not by one client after all

    @property
    def signs_in(self) -> bool:
        """Whether the broker knows us by a name and a password."""
        return self.security_protocol.startswith("SASL_")

    @property
    def is_encrypted(self) -> bool:
        """Whether connections are TLS."""
        return self.security_protocol.endswith("SSL")

    def confluent(self) -> dict[str, str]:
        """The options of a client of confluent-kafka."""
        options = {
            "bootstrap.servers": self.servers,
            "security.protocol": self.security_protocol,
            "sasl.mechanism": self.sasl_mechanism if self.signs_in else "",
            "sasl.username": self.username,
            "sasl.password": self.password,
            "ssl.ca.location": self.ca_file,
            "ssl.certificate.location": self.certificate_file,
            "ssl.key.location": self.key_file,
            "ssl.key.password": self.key_password,
        }
        return {name: value for name, value in options.items() if value}

    def aiokafka(self) -> dict[str, Any]:
        """The options of a client of aiokafka."""
        options: dict[str, Any] = {
            "bootstrap_servers": self.servers,
            "security_protocol": self.security_protocol,
        }
        if self.is_encrypted:
            options["ssl_context"] = self._context()
        if self.signs_in:
            options["sasl_mechanism"] = self.sasl_mechanism
            options["sasl_plain_username"] = self.username
            options["sasl_plain_password"] = self.password
        return options

    def _of_credentials(self) -> Iterator[str]:
        spoken = f"{PROTOCOL}={self.security_protocol}"
        for name in CREDENTIALS:
            variable, is_set = _variable(name), bool(getattr(self, name))
            if self.signs_in and not is_set:
                remedy = f"set it, or {PROTOCOL} to SSL or PLAINTEXT"
                yield f"{variable} is not set, and {spoken} signs in with it: {remedy}"
            elif is_set and not self.signs_in:
                remedy = f"set {PROTOCOL} to SASL_SSL, or unset {variable}"
                yield f"{variable} is set, and {spoken} does not sign in: {remedy}"

    def _of_files(self) -> Iterator[str]:
        spoken = f"{PROTOCOL}={self.security_protocol}"
        for name in FILES:
            variable, path = _variable(name), getattr(self, name)
            if path and not self.is_encrypted:
                remedy = f"set {PROTOCOL} to SSL or SASL_SSL, or unset {variable}"
                yield f"{variable} is set, and {spoken} is not TLS: {remedy}"
            elif path and not os.access(path, os.R_OK):
                remedy = "correct the path, or let our user read it"
                yield f"{variable} names {path}, where no file is that we may read: {remedy}"
        for name, other in TOGETHER:
            if getattr(self, name) and not getattr(self, other):
                yield f"{_variable(name)} is set without {_variable(other)}: set both, or neither"

    def _context(self) -> ssl.SSLContext:
        try:
            context = ssl.create_default_context(cafile=self.ca_file or None)
        except OSError as problem:
            raise InvalidInput(
                f"{_variable('ca_file')}={self.ca_file} cannot be used ({problem}): it must hold "
                "the certificates of the brokers' authorities, PEM"
            ) from problem
        if self.certificate_file:
            self._identify(context)
        return context

    def _identify(self, context: ssl.SSLContext) -> None:
        # Asked for a password that is not there, OpenSSL would wait at the terminal for one.
        password = self.key_password.encode()
        try:
            context.load_cert_chain(self.certificate_file, self.key_file, lambda: password)
        except OSError as problem:
            raise InvalidInput(
                f"{_variable('certificate_file')} and {_variable('key_file')} cannot be used "
                f"({problem}): they must be a certificate and its own key, PEM, and "
                f"{_variable('key_password')} the key's password if it has one"
            ) from problem


def _variable(name: str) -> str:
    return VARIABLE + name.upper()
