"""Exact reads of usage: as of a cut through the log, and beside the stream's counters.

Implements `schemas.ports.UsageReader`. Every sum is made by the warehouse in decimals and handed
over as integers of 1e-6 units.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import asdict

import pyarrow as pa
from clickhouse_connect.driver.client import Client

from schemas.catalog import Catalog
from schemas.closing import CountersCompared
from schemas.meter import Meter
from schemas.period import BillingPeriod
from schemas.ports import Log
from schemas.rebuild import Chosen, Part, PartitionCut
from schemas.tables import TOTAL_COLUMNS, USAGE_COLUMNS, ArrowStream
from schemas.vector import Vector
from stores.warehouse.client import ask, ask_table, reachable, statement
from stores.warehouse.comparison import Comparison, counted_positions
from stores.warehouse.cuts import bounds_slice, cut_parameters, unbounded
from stores.warehouse.late import LateUsage
from stores.warehouse.metering import meter_parameters, statement_parameters
from stores.warehouse.repeats import Repeats

_TYPES = {"string": pa.string(), "int32": pa.int32(), "int64": pa.int64()}
USAGE_SCHEMA = pa.schema([(name, _TYPES[kind]) for name, kind in USAGE_COLUMNS.items()])


class WarehouseUsage(LateUsage, Repeats):
    """Usage as the month's close reads it. `dedupe_window` is the counters', in offsets.

    `patience_seconds` is how long a comparison waits for landing.
    """

    def __init__(self, client: Client, dedupe_window: int, patience_seconds: int = 30) -> None:
        self._client = client
        self._dedupe_window = dedupe_window
        self._patience_seconds = patience_seconds

    def counted(self) -> Vector:
        """The counters' positions whose rows are all in the `counters` table."""
        return counted_positions(self._client)

    def counted_by(self, epoch: int) -> int:
        """The oldest version of the price list that any partition of an epoch is counted by."""
        [[version]] = ask(self._client, "counted_version", {"epoch": epoch})
        return int(version)

    def usage(
        self,
        month: BillingPeriod,
        as_of: Vector,
        bounds: ArrowStream,
        meters: Iterable[Meter],
        *,
        only_bounded: bool = False,
    ) -> pa.Table:
        """Usage by tenant, meter, segment and value (`USAGE_COLUMNS`), cut by the vector."""
        return self._read(month, as_of, bounds, statement_parameters(meters), only_bounded)

    def others(self, month: BillingPeriod, as_of: Vector, meters: Iterable[Meter]) -> pa.Table:
        """As `usage`, of those of the meters that do not add up, the period uncut."""
        _, *statements = statement_parameters(meters)
        return self._read(month, as_of, unbounded(()), statements, only_bounded=False)

    def _read(
        self,
        month: BillingPeriod,
        as_of: Vector,
        bounds: ArrowStream,
        statements: Iterable[tuple[str, Mapping[str, object]]],
        only_bounded: bool,
    ) -> pa.Table:
        found = []
        with reachable(self._client.uri), bounds_slice(self._client, bounds) as segments:
            chosen = {"slice": segments, "is_chosen": only_bounded}
            for kind, own in statements:
                asked = {**_month(month), **cut_parameters(as_of), **chosen, **own}
                table = self._client.query_arrow(statement(f"usage{kind}"), parameters=asked)
                found.append(_as_schema(table, USAGE_SCHEMA))
        return pa.concat_tables(found)

    def compare_counters(
        self, month: BillingPeriod, catalog: Catalog, log: Log
    ) -> CountersCompared:
        """Every counter whose window begins in the month beside the warehouse, as of one position.

        Waits a while for landing to come as far as the counters.
        """
        comparison = Comparison(self._client, catalog, self._dedupe_window, self._patience_seconds)
        return comparison.compare(month, log)

    def parts(
        self, catalog: Catalog, chosen: Chosen, cut: PartitionCut, from_ms: int
    ) -> list[Part]:
        """Usage of a partition's tenants by parts of time that any window consists of.

        Only the parts that begin at `from_ms` or later are sure to be whole.
        """
        meters = [meter for meter in catalog.meter_list if meter.name in chosen.meters]
        asked = {
            **meter_parameters(catalog, meters, by_day=catalog.anniversary_billing),
            **asdict(cut),
            "tenants": sorted(chosen.tenants),
            "from_ms": from_ms,
        }
        return [Part(*row) for row in ask(self._client, "parts", asked)]

    def first_usage_ms(self) -> int | None:
        """The event time of the oldest usage that is kept; None without any."""
        [[rows, first_ms]] = ask(self._client, "first_usage")
        return first_ms if rows else None

    def tenants(self, named: Collection[str] = ()) -> list[str]:
        """Who has usage or counters here, of the named; without a name everybody."""
        return [tenant for (tenant,) in ask(self._client, "tenants", {"named": list(named)})]

    def totals(
        self,
        month: BillingPeriod,
        as_of: Vector,
        meters: Iterable[Meter],
        tenants: Collection[str] | None = None,
    ) -> pa.Table:
        """Usage by tenant and meter (`TOTAL_COLUMNS`) from the deliveries themselves.

        It is an independent check.
        """
        found = []
        with bounds_slice(self._client, unbounded(tenants or ())) as names:
            chosen = {"slice": names, "is_chosen": tenants is not None}
            for kind, own in statement_parameters(meters):
                asked = {**_month(month), **cut_parameters(as_of), **chosen, **own}
                text = statement(f"totals{kind}")
                found.append(ask_table(self._client, text, asked, TOTAL_COLUMNS))
        return pa.concat_tables(found)


def _as_schema(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """The table with exactly these columns and types; an empty answer may come without columns."""
    if not table.num_rows:
        return schema.empty_table()
    return table.select(schema.names).cast(schema)


def _month(month: BillingPeriod) -> dict[str, int]:
    return {"start_ms": month.start_ms, "end_ms": month.end_ms}
