"""What plans include of a meter, and how the rest is priced: tables for `sql/plain_charges.sql`.

A rate is a plan of one version of the price list, a currency and a meter that the list prices.
"""

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from itertools import product

import pyarrow as pa

from pipelines.columns.tables import table_of
from pipelines.rating.price_pieces import WITHOUT_END, Piece, pieces
from schemas.catalog import Catalog
from schemas.money import MINOR_DIGITS
from schemas.prices import Matrix, PerUnit, PriceModel
from schemas.rate_card import RateCard

_PLACE = {"catalog_version": "int64", "plan": "string", "currency": "string", "meter": "string"}
_RATES = {**_PLACE, "included_micro": "int64", "is_billed": "bool", "unit_price_pico": "int64"}
_WIDE = {"flat": pa.decimal128(38)}
_PIECES = pa.schema(
    {
        **{name: pa.type_for_alias(kind) for name, kind in _PLACE.items()},
        **{name: _WIDE.get(name, pa.int64()) for name in Piece.__slots__},
        "safe_micro": pa.int64(),
    }
)
_NOTHING = [Piece(0, WITHOUT_END, unit=0, flat=0)]


def rate_table(catalogs: Mapping[int, Catalog]) -> pa.Table:
    """What each rate includes, and what a line shows; a plan without a card includes nothing."""
    rows = (
        (*place, card.included if card else 0, price is not None, _shown(price, place[2]))
        for place, card, price in _rates(catalogs)
    )
    return table_of(rows, _RATES)


def piece_table(catalogs: Mapping[int, Catalog]) -> pa.Table:
    """What is beyond costs: the pieces of each rate's price; what is not billed costs nothing."""
    rows = [
        {**dict(zip(_PLACE, place, strict=True)), **asdict(it), "safe_micro": it.safe_micro}
        for place, _, price in _rates(catalogs)
        for it in (_NOTHING if price is None else pieces(price, place[2]))
    ]
    return pa.Table.from_pylist(rows, schema=_PIECES)


def _rates(
    catalogs: Mapping[int, Catalog],
) -> Iterator[tuple[tuple[int, str, str, str], RateCard | None, PriceModel | None]]:
    """Each rate with its card and price; a currency that a price list does not have has none."""
    for version, catalog in catalogs.items():
        for (name, plan), currency, meter in product(
            catalog.plans.items(), MINOR_DIGITS, sorted(catalog.priced_meters)
        ):
            card = plan.meters.get(meter)
            price = card.overage if card and currency in catalog.currencies else None
            yield (version, name, currency, meter), card, price


def _shown(price: PriceModel | None, currency: str) -> int | None:
    """The price of each unit where all cost the same; of a matrix, that of its default."""
    price = price.price_of("") if isinstance(price, Matrix) else price
    return price.unit_price_pico(currency) if isinstance(price, PerUnit) else None
