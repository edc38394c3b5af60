"""Why Kafka does not answer, in its client's words, and the setting that mends it.

A call that fails says no more than that nobody answered. What a broker had against us, a wrong
password or a certificate, the client tells on the side; so it is asked once more and listened to.
"""

import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient

from schemas.errors import DependencyUnreachable
from stores.kafka import PROTOCOL, VARIABLE, KafkaAccess

ASK_SECONDS = 2
LOOK_SECONDS = 0.5
ANYBODY = "start the local stack with `countinghouse up`, or set COUNTINGHOUSE_KAFKA"
CLOSED = f"{ANYBODY}; where it speaks TLS, {PROTOCOL} as well"
PASSWORD = (
    f"check {VARIABLE}USERNAME, {VARIABLE}PASSWORD and {VARIABLE}SASL_MECHANISM against what that "
    "Kafka knows"
)
TLS = (
    f"check {PROTOCOL}, {VARIABLE}CA_FILE and {VARIABLE}CERTIFICATE_FILE against what that Kafka "
    "listens to"
)
TOPICS = "run `countinghouse worker init`, or `up` for the local stack, which make missing topics"
RIGHTS = "give our user the rights that docs/production.md lists"


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why it does not answer, and what to do."""

    reason: str
    remedy: str


def trouble(access: KafkaAccess, seconds: float = ASK_SECONDS) -> Trouble | None:
    """Why no broker tells its topics within so long; None when one does.

    Who is refused is not kept waiting.
    """
    said: list[KafkaError] = []
    # what it has to say would go to the terminal as well
    listening: dict[str, Any] = {"error_cb": said.append, "log_level": 0}
    admin = AdminClient({**access.confluent(), **listening})
    deadline = time.monotonic() + seconds
    while (silence := _silence(admin)) is not None:
        if any(map(_is_refusal, said)) or time.monotonic() > deadline:
            return _told(said, silence)
    return None


def unreachable(
    access: KafkaAccess, error: KafkaError, what: str = "", then: str = ""
) -> DependencyUnreachable:
    """What to raise for a call that failed; Kafka is asked once more for the reason."""
    silence = trouble(access)
    found = silence or Trouble(error.str(), _remedy(error))
    said = what or ("does not answer" if silence else "does not do what it was asked")
    return DependencyUnreachable(
        f"Kafka at {access.servers} {said} ({found.reason}): {found.remedy}{then}"
    )


def _silence(admin: AdminClient) -> KafkaError | None:
    try:
        admin.list_topics(timeout=LOOK_SECONDS)
    except KafkaException as failure:
        admin.poll(0)  # it calls back from here alone
        error: KafkaError = failure.args[0]
        return error
    return None


def _is_refusal(error: KafkaError) -> bool:
    """Whether a broker is there and does not want us."""
    return _remedy(error) in (PASSWORD, TLS)


def _told(said: Sequence[KafkaError], silence: KafkaError) -> Trouble:
    """The first word on it; that all brokers are down is none."""
    words = [error for error in said if error.code() != KafkaError._ALL_BROKERS_DOWN]
    if not words:
        return Trouble(silence.str(), CLOSED)
    refusals = filter(_is_refusal, words)
    first = next(refusals, words[0])
    return Trouble(_words(first), _remedy(first))


def _remedy(error: KafkaError) -> str:
    if error.code() == KafkaError._AUTHENTICATION:
        return PASSWORD
    if error.code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
        return TOPICS
    if "authorization failed" in error.str():
        return RIGHTS
    return TLS if "SSL" in error.str() else ANYBODY


def _words(error: KafkaError) -> str:
    """Without the connection's name before and its age behind."""
    return re.sub(r"^\S+: | \(after \d+ms .*\)$", "", error.str())
