"""What a change of the price list does, in words: to which plans, meters and offers, and to whom.

Compares two price lists; who subscribes to what is handed in. It applies nothing.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby

from pipelines.catalog.catalog_terms import Terms, tax_name, terms_of
from schemas.catalog import Catalog

Holders = Mapping[tuple[str, int], int]
"""How many tenants have a plan, now or later, by (plan, version of the price list)."""

_ROLLOUT = "for everyone, once it is rolled out: `countinghouse catalog rollout`"
_TAXED = "on every invoice of a month that is closed by it"
_CONCERNS = {
    "meter": _ROLLOUT,
    "meters": _ROLLOUT,
    "tax": _TAXED,
    "taxes": _TAXED,
    "coupon": "for whoever redeems it from then on; who has redeemed it keeps its terms",
    "add-on": "for whoever books it from then on; who has booked it keeps its fee",
    "costs": "nobody is billed by it",
    "late usage": "corrections that are made by the close of a month that is closed by it",
}
"""Whom a change of each kind of subject concerns, and from when on."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One fact that is not the same; None where there is no such fact."""

    subject: str
    name: str
    old: str | None
    new: str | None


@dataclass(frozen=True, slots=True)
class Change:
    """All that changes in one subject, such as a plan, and whom it concerns.

    `tenants` is None where that is not known.
    """

    subject: str
    differences: tuple[Difference, ...]
    kind: str
    concerns: str
    tenants: int | None = None
    by_version: Mapping[int, int] = field(default_factory=dict)


def changes(old: Catalog, new: Catalog, holders: Holders | None = None) -> list[Change]:
    """What changes, subject by subject, in the order of the price lists; none where nothing does.

    `holders` are those of the ledger that the change is for, None where there is none.
    """
    found = groupby(_differences(old, new), key=lambda each: each.subject)
    before, after = (_subjects(terms_of(catalog)) for catalog in (old, new))
    return [
        _change(subject, tuple(own), (before, after), (old, new), holders) for subject, own in found
    ]


def in_words(found: Sequence[Change]) -> Iterator[str]:
    """The changes as lines of text for a person."""
    for change in found:
        yield {"new": "+ ", "taken out": "- "}.get(change.kind, "") + _title(change)
        if change.kind != "taken out":
            yield from (f"    {_line(each)}" for each in change.differences)
        if change.concerns:
            yield f"    {change.concerns}"


def _differences(old: Catalog, new: Catalog) -> list[Difference]:
    before, after = terms_of(old), terms_of(new)
    order = dict.fromkeys((*_subjects(before), *_subjects(after)))
    found = [
        Difference(*term, before.get(term), after.get(term))
        for term in {**before, **after}
        if before.get(term) != after.get(term)
    ]
    found += _moved("meters", list(old.meters), list(new.meters))
    found += _moved("taxes", [tax_name(it) for it in old.taxes], [tax_name(it) for it in new.taxes])
    places = {subject: place for place, subject in enumerate(order)}
    return sorted(found, key=lambda each: places.get(each.subject, len(places)))


def _moved(subject: str, old: Sequence[str], new: Sequence[str]) -> Iterator[Difference]:
    """Another order of what is in both."""
    before, after = [it for it in old if it in new], [it for it in new if it in old]
    if before != after:
        yield Difference(subject, "order", ", ".join(before), ", ".join(after))


def _subjects(terms: Terms) -> dict[str, None]:
    return {term.subject: None for term in terms}


def _change(
    subject: str,
    own: tuple[Difference, ...],
    subjects: tuple[Mapping[str, None], Mapping[str, None]],
    catalogs: tuple[Catalog, Catalog],
    holders: Holders | None,
) -> Change:
    before, after = subjects
    kind = "changed"
    if subject not in before and subject in after:
        kind = "new"
    elif subject in before and subject not in after:
        kind = "taken out"
    what, _, name = subject.partition(" ")
    by_version = {} if holders is None or what != "plan" else _versions(name, holders)
    tenants = None if holders is None or what != "plan" else sum(by_version.values())
    told = _concerns(what, name, kind, catalogs, tenants)
    return Change(subject, own, kind, told, tenants, by_version)


def _versions(plan: str, holders: Holders) -> dict[int, int]:
    return {version: count for (name, version), count in sorted(holders.items()) if name == plan}


def _concerns(
    what: str, name: str, kind: str, catalogs: tuple[Catalog, Catalog], tenants: int | None
) -> str:
    """To whom, and from when on."""
    return _of_plan(name, kind, catalogs, tenants) if what == "plan" else _CONCERNS.get(what, "")


def _of_plan(name: str, kind: str, catalogs: tuple[Catalog, Catalog], tenants: int | None) -> str:
    told = "for whoever subscribes from then on"
    if name in catalogs[1].plans and (alone := catalogs[1].plans[name].tenants):
        told = f"for {', '.join(alone)} alone, from a new order on"
    if kind == "taken out":
        told = "nobody can subscribe to it any more"
    if kind != "new" and tenants != 0:
        told += f"; {_keep(tenants)} as it is until `countinghouse subscriptions move`"
    if name in {catalog.default_plan for catalog in catalogs}:
        told += "; it limits tenants without a subscription"
    return told


def _keep(tenants: int | None) -> str:
    if tenants is None:
        return "its subscribers keep it"
    return "1 tenant keeps it" if tenants == 1 else f"{tenants:,} tenants keep it"


def _title(change: Change) -> str:
    versions = ", ".join(f"{count:,} by version {it}" for it, count in change.by_version.items())
    who = "" if change.tenants is None else f" ({versions or 'nobody has it'})"
    return f"{change.subject}{'' if change.kind == 'changed' else ': ' + change.kind}{who}"


def _line(each: Difference) -> str:
    old, new = each.old or "none", each.new or "none"
    return f"{each.name}: {new}" if each.old is None else f"{each.name}: {old} → {new}"
