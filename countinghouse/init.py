"""What must exist before the workers start: topics, tables, a price list, the topic's epoch.

Every step may be repeated; a second run changes nothing.
"""

import time
from collections.abc import Mapping
from pathlib import Path

from countinghouse.settings import Settings
from pipelines.catalog import catalog_file
from pipelines.catalog.catalog_succession import ensure_follows
from schemas.catalog import Catalog
from schemas.catalog_use import InUse
from schemas.errors import InvalidInput, NotFound
from schemas.topics import TopicNames
from stores import ledger, log
from stores.ledger import Ledger
from stores.warehouse import client as warehouse
from streams.topics import ensure_topics

EXAMPLES = Path(__file__).parent.parent / "examples"
DEFAULT_CATALOG = EXAMPLES / "catalogs" / "llm_tokens.yaml"


def now_ms() -> int:
    """The clock of the wiring: epoch milliseconds."""
    return time.time_ns() // 1_000_000


def prepare(settings: Settings) -> None:
    """Create topics, migrate warehouse and ledger, open the epoch of the live topic.

    Raises:
        DependencyUnreachable: Kafka, ClickHouse or the ledger does not answer.
        Conflict: a topic exists with another shape.
    """
    books = open_ledger(settings)
    live = books.live_epoch()
    generation = 1 if live is None else live.generation
    ensure_topics(
        settings.kafka_access,
        partitions=settings.partitions if live is None else live.partitions,
        replication=settings.replication,
        generation=generation,
    )
    warehouse.migrate(warehouse.connect(settings.clickhouse_url))
    usage = TopicNames.of(generation).usage
    found = log.topic_id(settings.kafka_access, usage)
    partitions = log.KafkaLog(settings.kafka_access, 0, topic=usage).partitions()
    books.open_epoch(found, usage, partitions, now_ms())


def open_ledger(settings: Settings, catalog: Path | None = None) -> Ledger:
    """The ledger, migrated, with a price list in it.

    `catalog` is applied; without one, the shipped price list goes into an empty ledger.
    """
    settings.home.mkdir(parents=True, exist_ok=True)
    ledger.migrate(settings.ledger_url)
    books = ledger.connect(settings.ledger_url)
    if catalog is not None or not _has_catalog(books):
        apply_catalog(books, catalog or DEFAULT_CATALOG)
    return books


def _has_catalog(books: Ledger) -> bool:
    try:
        books.catalog_document()
    except NotFound:
        return False
    return True


def apply_catalog(books: Ledger, path: Path) -> tuple[int, bool]:
    """Apply a price list file: its version, and whether it is a new one.

    Raises:
        InvalidInput: the file cannot be read, or is wrong at a line and column. Conflict: what is
            in use would no longer be counted; see `pipelines.catalog.catalog_succession`.
    """
    catalog = catalog_file.parse(read_text(path), str(path))

    def judge(known: Mapping[int, Catalog], in_use: InUse) -> None:
        ensure_follows(catalog, known, in_use)

    return books.apply_catalog(catalog_file.canonical(catalog), now_ms(), judge)


def read_text(path: Path) -> str:
    """A text file, whole.

    Raises:
        InvalidInput: it cannot be read.
    """
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as problem:
        raise InvalidInput(f"{path} cannot be read: {problem}; name a text file") from None
