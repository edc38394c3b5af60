"""Landing's inserts: each batch as a few Arrow inserts, in the order that readers rely on."""

import threading
from collections.abc import Mapping

import pyarrow as pa
from clickhouse_connect.driver.client import Client

from stores.warehouse.client import connect, reachable

Tables = Mapping[str, pa.Table]

INSERT_SETTINGS = {
    "async_insert": 0,  # an answer means that the rows are stored
    "max_partitions_per_insert_block": 0,  # late and early events may lie in any month
}


class WarehouseSink:
    """Inserts tables; connects when it must, and again after a failure. For one thread."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._client: Client | None = None

    def insert(self, tables: Tables) -> None:
        """Insert each table in turn; counters before positions, as positions vouch for them.

        Raises:
            DependencyUnreachable: the warehouse does not answer.
            ClickHouseError: it refused an insert.
        """
        client = self._client = self._client or connect(self._url)
        with reachable(self._url):
            for name, rows in tables.items():
                if rows.num_rows:
                    client.insert_arrow(name, rows, settings=INSERT_SETTINGS)

    def close(self) -> None:
        """Give the connection back; the next insert makes another."""
        if self._client is not None:
            self._client.close()
        self._client = None


class InsertUnderWay:
    """An insert beside the caller, which reads on meanwhile. A process that ends leaves it."""

    def __init__(self, sink: WarehouseSink, tables: Tables) -> None:
        self._failure: Exception | None = None
        self._thread = threading.Thread(target=self._insert, args=(sink, tables), daemon=True)
        self._thread.start()

    def _insert(self, sink: WarehouseSink, tables: Tables) -> None:
        try:
            sink.insert(tables)
        except Exception as failure:
            self._failure = failure

    def ends_within(self, seconds: float) -> bool:
        """Has it ended, well or not? Waits so long for it."""
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def check(self) -> None:
        """Raise what the insert raised; it has ended."""
        if self._failure is not None:
            raise self._failure
