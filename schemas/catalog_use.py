"""What of its price lists a ledger holds in use, for whoever judges the next one."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from schemas.catalog import Catalog


@dataclass(frozen=True, slots=True)
class InUse:
    """Plans that are held or not billed to their end yet, by (plan, version), and a tenant whose
    billing periods begin on another day than the first, if there is one."""

    plans: Collection[tuple[str, int]] = ()
    anchored: str | None = None


Judge = Callable[[Mapping[int, Catalog], InUse], None]
"""Raises what speaks against a price list after all that are known, beside what is in use."""
