"""Names as small numbers while a month is rated: joined, sorted and grouped many times as fast.

Owns the numbers and the way back; what is computed with them is in `pipelines.rating.bulk_rating`.
Numbers are in the order of the names, so that what is sorted by them is sorted by name.
"""

from collections.abc import Mapping

import pyarrow as pa
import pyarrow.compute as pc

from pipelines.columns.tables import as_table, padded
from pipelines.rating.numbering import Numbered
from schemas.catalog import Catalog
from schemas.money import MINOR_DIGITS
from schemas.tables import ADJUSTING_COLUMNS, LINE_COLUMNS


class Codes:
    """The numbers of meters, plans and currencies of some price lists."""

    def __init__(self, catalogs: Mapping[int, Catalog]) -> None:
        meters = {name for catalog in catalogs.values() for name in catalog.priced_meters}
        plans = {name for catalog in catalogs.values() for name in catalog.plans}
        self.names = {
            "meter": pa.array(sorted(meters), pa.string()),
            "plan": pa.array(sorted(plans), pa.string()),
            "currency": pa.array(sorted(MINOR_DIGITS), pa.string()),
        }
        self._versions = pa.array(sorted(catalogs), pa.int64())

    def coded(self, table: pa.Table) -> pa.Table:
        """A table with numbers in place of names; rows of names that are not known are left out."""
        for column in self.names.keys() & set(table.column_names):
            place = table.column_names.index(column)
            numbers = pc.index_in(table[column], value_set=self.names[column])
            table = table.set_column(place, column, numbers.cast(pa.int16()))
            table = table.filter(pc.is_valid(table[column]))
        return table

    def with_first_rate(self, coded: pa.Table) -> pa.Table:
        """With the number of the first rate of a version, plan and currency: a meter's is added."""
        place = pc.index_in(coded["catalog_version"], value_set=self._versions)
        for column in ("plan", "currency", "meter"):
            place = pc.multiply(place, pa.scalar(len(self.names[column]), pa.int32()))
            place = place if column == "meter" else pc.add(place, coded[column].cast(pa.int32()))
        return coded.append_column("first_rate", place)

    def lines(self, coded: pa.Table, whose: Numbered) -> pa.Table:
        """Lines (`LINE_COLUMNS`) by name again, with their ordinals; in the order they are in."""
        numbers = coded["subscription"].combine_chunks()
        columns = {
            "tenant": whose.tenants.take(numbers),
            "subscription": whose.subscriptions.take(numbers),
            "ordinal": _ordinals(numbers),
        }
        for name in coded.column_names:
            is_number = pa.types.is_integer(coded.schema.field(name).type)
            if name in self.names and is_number:
                columns[name] = self.names[name].take(coded[name])
            else:
                columns.setdefault(name, coded[name])
        order = [name for name in LINE_COLUMNS if name not in ADJUSTING_COLUMNS]
        named = pa.table({name: columns[name] for name in order})
        return as_table(padded(named, ADJUSTING_COLUMNS), LINE_COLUMNS)


def _ordinals(numbers: pa.Array) -> pa.Array:
    """0, 1, 2, … for each run of equal numbers."""
    if not len(numbers):
        return pa.array([], pa.int32())
    ends = pc.run_end_encode(numbers).run_ends
    starts = pa.concat_arrays([pa.array([0], ends.type), ends.slice(0, len(ends) - 1)])
    begun = pc.run_end_decode(pa.RunEndEncodedArray.from_arrays(ends, starts))
    return pc.subtract(pa.arange(0, len(numbers)), begun.cast(pa.int64())).cast(pa.int32())
