"""What a month's adjustments rest on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from schemas.catalog import Catalog
from schemas.extras import Extras
from schemas.tax import TaxRule


@dataclass(frozen=True, slots=True)
class Offered:
    """Price lists by version, the taxes in force, and what tenants were given."""

    catalogs: Mapping[int, Catalog]
    taxes: Sequence[TaxRule]
    extras: Extras
