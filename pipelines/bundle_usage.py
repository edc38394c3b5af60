"""A month's usage as it was rated, each row with the digest of the events behind it."""

from collections import defaultdict

import pyarrow as pa
import pyarrow.compute as pc

from pipelines.books import Books
from pipelines.engine import database
from pipelines.metering import meters_of
from pipelines.segments import bounds
from pipelines.tables import as_table
from pipelines.usage_reading import bounds_of
from schemas.evidence import DIGEST_COLUMNS, EventReader
from schemas.period import BillingPeriod
from schemas.subscription import Subscription

_JOIN = """
SELECT usage.*, digests.events_digest
FROM usage
LEFT JOIN digests USING (tenant, meter, segment, value)
"""


def usage_with_digests(books: Books, events: EventReader) -> pa.Table:
    """The rows of the month's usage; a row without events of its own has no digest."""
    with database({"usage": books.usage, "digests": _digests(books, events)}) as connection:
        return connection.sql(_JOIN).to_arrow_table()


def _digests(books: Books, events: EventReader) -> pa.Table:
    """Calendar months are read together, other billing periods once each."""
    month, vector, meters = books.period, books.closing.vector, meters_of(books.catalogs)
    by_period: defaultdict[BillingPeriod, list[Subscription]] = defaultdict(list)
    for each in books.subscriptions:
        by_period[each.billed_in(month)].append(each)
    own = by_period.pop(month, [])
    cuts = {each.tenant: bounds(each, month) for each in own}
    found = [as_table(events.digests(month, vector, bounds_of(cuts), meters), DIGEST_COLUMNS)]
    others = pa.array([s.tenant for each in by_period.values() for s in each], pa.string())
    if len(others):
        found[0] = found[0].filter(pc.invert(pc.is_in(found[0]["tenant"], value_set=others)))
    for period, subscriptions in sorted(by_period.items(), key=lambda item: item[0]):
        cuts = {each.tenant: bounds(each, period) for each in subscriptions}
        read = events.digests(period, vector, bounds_of(cuts), meters, only_bounded=True)
        found.append(as_table(read, DIGEST_COLUMNS))
    return pa.concat_tables(found)
