"""How statements are told of meters: what each makes of values, and the windows it is counted in.

Parallel lists, since a statement looks a meter up with `transform`.
"""

from collections.abc import Iterable, Iterator, Sequence

from schemas.catalog import Catalog
from schemas.meter import Meter


def meter_parameters(
    catalog: Catalog, meters: Sequence[Meter], *, by_day: bool
) -> dict[str, object]:
    """`meters`, `aggregations`, `kinds` (joined by commas) and `granules`.

    A granule is the longest part of time of which all a meter's windows consist; `by_day` says
    that some billing periods begin on another day than the first.
    """
    kinds = [catalog.windows_of(meter.name) for meter in meters]
    return {
        "meters": [meter.name for meter in meters],
        "aggregations": ["sum" if meter.is_additive else meter.aggregation for meter in meters],
        "kinds": [",".join(each) for each in kinds],
        "granules": [_granule(each, by_day=by_day) for each in kinds],
    }


def statement_parameters(meters: Iterable[Meter]) -> Iterator[tuple[str, dict[str, object]]]:
    """Which statements read a month's usage, by their names' endings, and what they are told.

    The first adds up all meters but these; the others are left out where no meter needs them.
    """
    others = [meter for meter in meters if not meter.is_additive]
    gauges = [meter.name for meter in others if meter.aggregation == "time_weighted"]
    running = [meter for meter in others if meter.aggregation != "time_weighted"]
    yield "", {"others": [meter.name for meter in others]}
    if running:
        aggregations = [meter.aggregation for meter in running]
        yield "_running", {"meters": [m.name for m in running], "aggregations": aggregations}
    if gauges:
        yield "_gauges", {"meters": gauges}


def _granule(kinds: Iterable[str], *, by_day: bool) -> str:
    if "hour" in kinds:
        return "hour"
    return "day" if by_day or {"day", "week"} & set(kinds) else "month"
