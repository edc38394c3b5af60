"""How statements are told of meters: what each makes of values, and the windows it is counted in.

Parallel lists, since a statement looks a meter up with `transform`.
"""

from collections.abc import Iterable, Sequence

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


def _granule(kinds: Iterable[str], *, by_day: bool) -> str:
    if "hour" in kinds:
        return "hour"
    return "day" if by_day or {"day", "week"} & set(kinds) else "month"
