"""What a demo is run on, and that a home folder holds one such input only."""

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

from countinghouse.init import DEFAULT_CATALOG, EXAMPLES
from schemas.errors import Conflict, InvalidInput
from schemas.period import BillingPeriod

SUBSCRIPTIONS = EXAMPLES / "data" / "subscriptions.csv"
PLAN_CHANGES = EXAMPLES / "data" / "plan_changes.csv"
DRAFT = EXAMPLES / "drafts" / "llm_tokens.yaml"


@dataclass(frozen=True, slots=True)
class DemoInput:
    """Files, the month that is closed, and how many rows of usage are replayed (None is all).

    `plan_changes` are commands on the subscriptions' plans, `draft` are other prices to try on the
    closed month; None for none.
    """

    usage: Path = EXAMPLES / "data" / "llm_usage.parquet"
    subscriptions: Path = SUBSCRIPTIONS
    catalog: Path = DEFAULT_CATALOG
    month: str = "2026-10"
    limit: int | None = None
    plan_changes: Path | None = PLAN_CHANGES
    draft: Path | None = DRAFT

    def check(self) -> None:
        """Raises InvalidInput if a file is missing or the month is not one."""
        for path in (self.usage, self.subscriptions, self.catalog, self.plan_changes, self.draft):
            if path is not None and not path.is_file():
                raise InvalidInput(f"{path} is not a file; check the path")
        try:
            BillingPeriod.month(self.month)
        except ValueError as problem:
            raise InvalidInput(str(problem)) from None
        if self.limit is not None and self.limit < 1:
            raise InvalidInput("--limit takes a number of rows from 1 up")

    def claim(self, home: Path) -> bool:
        """Mark the home as this input's; True if it was so before.

        Raises:
            Conflict: the home holds a demo of other input, which would bill both together.
        """
        marker = home / "demo.json"
        mine = self._fingerprint()
        if not marker.exists():
            marker.write_text(json.dumps(mine, indent=1))
            return False
        if json.loads(marker.read_text()) != mine:
            raise Conflict(
                f"{home} holds a demo of other input; delete that folder "
                "or choose another folder with COUNTINGHOUSE_HOME"
            )
        return True

    def _fingerprint(self) -> dict[str, object]:
        files = {
            name: hashlib.sha256(path.read_bytes()).hexdigest()
            for name, path in asdict(self).items()
            if isinstance(path, Path) and name != "draft"  # which changes nothing in the home
        }
        return {**files, "usage_name": self.usage.name, "month": self.month, "limit": self.limit}
