"""What a new price list may not take away from tenants who go on by an older one.

Counters and landing run the newest price list alone, for the plans of all versions. It applies
nothing, and knows who subscribes to what because it is told.
"""

from collections.abc import Iterator, Mapping

from schemas.catalog import Catalog
from schemas.catalog_use import InUse
from schemas.errors import Conflict
from schemas.meter import Meter


def ensure_follows(new: Catalog, known: Mapping[int, Catalog], in_use: InUse) -> None:
    """Let a price list become the one after those that are known.

    Raises:
        Conflict: one line `place: reason; remedy` for each thing that would no longer be counted,
            or be counted as something else.
    """
    found = [*_changed_meters(new, known), *_missing_meters(new, known, in_use)]
    if in_use.anchored is not None and not new.anniversary_billing:
        found.append(
            f"anniversary_billing: billing periods of {in_use.anchored} do not begin with the"
            " month; write `anniversary_billing: true`"
        )
    if found:
        raise Conflict("\n".join(found))


def _changed_meters(new: Catalog, known: Mapping[int, Catalog]) -> Iterator[str]:
    """Usage that is stored was metered by the earlier one, and is so for ever."""
    earlier = {name: version for version in sorted(known) for name in known[version].meters}
    for name, version in earlier.items():
        meter = new.meters.get(name)
        if meter and _definition(meter) != _definition(known[version].meters[name]):
            reason = f"it is another meter than that of price list {version}"
            yield f"meters.{name}: {reason}; give it another name"


def _definition(meter: Meter) -> tuple[object, ...]:
    """What a meter makes of events; it does not matter how properties and labels are ordered."""
    value = meter.value if isinstance(meter.value, str) else sorted(meter.value)
    labels = {name: set(allowed) for name, allowed in meter.filter.items()}
    return meter.event_type, meter.aggregation, value, labels, meter.priced_by


def _missing_meters(new: Catalog, known: Mapping[int, Catalog], in_use: InUse) -> Iterator[str]:
    for plan, version in sorted(in_use.plans, key=lambda each: (each[1], each[0])):
        for meter in new.uncounted(known[version].plans[plan]):
            reason = f"it is missing, and {plan} of price list {version} is billed by it"
            remedy = "keep it, or move those who have the plan: `subscriptions move`"
            yield f"meters.{meter}: {reason}; {remedy}"
