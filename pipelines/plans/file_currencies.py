"""What a file of subscriptions says that tenants are billed in, and whether it may.

A tenant of whom nothing is in its currency yet may have another; what ledgers know of that is
given.
"""

import csv
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

DEFAULT_CURRENCY = "USD"


@dataclass(frozen=True, slots=True)
class Currencies:
    """What tenants are billed in, of those that are known, and why it stays so, where it does."""

    known: Mapping[str, str] = field(default_factory=dict)
    stay: Mapping[str, str] = field(default_factory=dict)

    def usual(self, tenant: str) -> str:
        """What a tenant is billed in where nothing is said."""
        return self.known.get(tenant, DEFAULT_CURRENCY)

    def fault(self, said: str | None, tenant: str, offered: Collection[str]) -> str | None:
        """Why a tenant cannot be billed in what is said, None if it can."""
        own = self.known.get(tenant)
        if said and own and said != own and tenant in self.stay:
            return (
                f"{tenant} is billed in {own}, and stays so: {self.stay[tenant]}; write {own}, or "
                f"nothing; to bill in {said}, give the tenant another name"
            )
        wanted = said or own
        if not wanted or wanted in offered:
            return None
        return f"{wanted!r} is not in the price list; there are {', '.join(offered)}"


def said_currencies(text: str) -> dict[str, str]:
    """The tenants of a file, each with the currency that is said, '' for none.

    What is wrong with the file is told by `subscription_file.parse`.
    """
    rows = csv.reader(text.removeprefix("\ufeff").splitlines())
    columns = [column.strip() for column in next(rows, [])]
    said: dict[str, str] = {}
    for row in rows:
        values = dict(zip(columns, map(str.strip, row), strict=False))
        if tenant := values.get("tenant"):
            said[tenant] = values.get("currency") or said.get(tenant, "")
    return said
