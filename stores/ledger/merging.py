"""Several streams of rows by subscription, merged as they come."""

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

Key = tuple[str, str]
"""Tenant and subscription."""


def merged(sources: Sequence[Iterator[pa.RecordBatch]]) -> Iterator[pa.RecordBatch]:
    """Rows by tenant and subscription; of each, those of earlier sources come first.

    Every source is in this order itself, and no batch cuts a subscription.
    """
    waiting = _there({place: next(source, None) for place, source in enumerate(sources)})
    while waiting:
        last = min(_key(batch, -1) for batch in waiting.values())
        counts = {place: _rows_until(batch, last) for place, batch in waiting.items()}
        yield from _interleaved([batch.slice(0, counts[p]) for p, batch in waiting.items()])
        rests = {place: batch.slice(counts[place]) for place, batch in waiting.items()}
        waiting = _there(
            {p: rest if rest.num_rows else next(sources[p], None) for p, rest in rests.items()}
        )


def _there(batches: Mapping[int, pa.RecordBatch | None]) -> dict[int, pa.RecordBatch]:
    return {place: batch for place, batch in batches.items() if batch is not None}


def _key(batch: pa.RecordBatch, row: int) -> Key:
    return batch["tenant"][row].as_py(), batch["subscription"][row].as_py()


def _rows_until(batch: pa.RecordBatch, last: Key) -> int:
    return bisect_right(range(batch.num_rows), last, key=lambda row: _key(batch, row))


def _interleaved(ready: Sequence[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    rows = pa.Table.from_batches(ready).combine_chunks()
    if len([batch for batch in ready if batch.num_rows]) == 1:
        yield from rows.to_batches()
        return
    tenants, subscriptions = _ranks(rows["tenant"]), _ranks(rows["subscription"])
    # Stable, and quick on rows that are in order but for a few runs.
    order = np.lexsort((subscriptions, tenants))
    yield from rows.take(pa.array(order)).to_batches()


def _ranks(names: pa.ChunkedArray) -> Any:
    """Numbers in the order of the names."""
    coded = names.combine_chunks().dictionary_encode()
    ranks = pc.rank(coded.dictionary, sort_keys="ascending", tiebreaker="dense")
    return ranks.take(coded.indices).to_numpy()
