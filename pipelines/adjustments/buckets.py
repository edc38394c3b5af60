"""What is left to pay, by product, plan and meter, and how a reduction is spread over it.

A bucket never goes below zero by a reduction, and the parts of a reduction add up to it.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from schemas.invoice import InvoiceLine
from schemas.money import divide_half_away
from schemas.offers import PRODUCTS, Product

_OF_KIND: Mapping[str, Product] = {
    "add_on": "add_ons",
    "item": "items",
    "maximum": "usage",
    "minimum": "fees",
}


class Bucket(NamedTuple):
    """Lines that are reduced together. `meter` is '' but for usage."""

    product: Product
    plan: str
    meter: str = ""


Left = Mapping[Bucket, int]
"""Minor units left in each bucket."""


def product_of(line: InvoiceLine) -> Product:
    """What a line is a line of; a discount or a tax says it itself."""
    if line.product is not None:
        return line.product
    return _OF_KIND.get(line.kind) or ("fees" if line.meter is None else "usage")


def in_order(bucket: Bucket) -> tuple[int, str, str]:
    """Fees before usage before add-ons before items; then by plan and meter."""
    return PRODUCTS.index(bucket.product), bucket.plan, bucket.meter


def filled(lines: Iterable[InvoiceLine]) -> Left:
    """What the lines come to, by bucket."""
    sums: Counter[Bucket] = Counter()
    for line in lines:
        sums[Bucket(product_of(line), line.plan, line.meter or "")] += line.amount_minor
    return sums


def spread(amount_minor: int, weights: Sequence[int]) -> list[int]:
    """Parts of an amount in proportion to weights: they add up to it.

    Each part is the growth of the rounded sum so far: 1.00 over 1, 1 and 1 is 0.33, 0.34, 0.33.
    Where the amount is at most the weights' sum, no part is more than its weight.
    """
    whole, reached, given = sum(weights), 0, 0
    parts = []
    for weight in weights:
        reached += weight
        until = divide_half_away(amount_minor * reached, whole)
        parts.append(until - given)
        given = until
    return parts


def taken(amount_minor: int, left: Left, named: Iterable[Bucket]) -> Left:
    """What a reduction takes from each of the buckets that it names and that have something."""
    sources = sorted((bucket for bucket in named if left[bucket] > 0), key=in_order)
    parts = spread(amount_minor, [left[bucket] for bucket in sources])
    return {bucket: part for bucket, part in zip(sources, parts, strict=True) if part}


def without(left: Left, gone: Left) -> Left:
    """What is left after a reduction."""
    return {bucket: amount - gone.get(bucket, 0) for bucket, amount in left.items()}
