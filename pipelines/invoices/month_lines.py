"""All lines of a month, made in memory from its usage: fees, usage and what follows from both.

The engines are the close's own; nothing is read from a ledger or written to one.
"""

from collections.abc import Mapping
from types import MappingProxyType

import pyarrow as pa

from pipelines.adjustments import bulk
from pipelines.adjustments.concerned import concerned
from pipelines.adjustments.offered import Offered
from pipelines.rating import bulk_rating
from schemas.period import BillingPeriod
from schemas.tables import ArrowStream


def month_lines(
    usage: ArrowStream,
    segments: pa.Table,
    month: BillingPeriod,
    offered: Offered,
    corrected: Mapping[str, int] = MappingProxyType({}),
) -> pa.Table:
    """Lines (`LINE_COLUMNS`): all fees, then all usage, then all that follows.

    `segments` (`SEGMENT_COLUMNS`) are the subscriptions. `offered.catalogs` are those of every part
    and of what was kept; usage is cut by `pipelines.segments.segments.bounds`. `corrected` is what
    corrections add, by subscription: credits pay for them too.
    """
    catalogs = offered.catalogs
    fees = bulk_rating.prorate_fees(segments, month, catalogs)
    charges = bulk_rating.rate_charges(usage, segments, month, catalogs)
    rated = pa.concat_tables([fees, charges])
    found = concerned(segments, offered)
    if not found.num_rows:
        return rated
    following = bulk.adjust_lines(rated, found, month, offered, corrected=corrected)
    return pa.concat_tables([rated, following])
