"""A price list's file: reading it, saying where it is wrong, and its canonical form.

What a price list is and must obey is in `schemas.catalog`; where versions live, in the ledger.
"""

from collections.abc import Iterator
from difflib import get_close_matches
from types import MappingProxyType

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from pipelines.catalog.catalog_contradictions import contradictions
from pipelines.catalog.marked_yaml import MarkedYaml, Path, read_yaml
from pipelines.catalog.plan_parents import with_parents
from schemas.catalog import Catalog, Plan
from schemas.errors import InvalidInput
from schemas.late_usage import LateUsagePolicy
from schemas.meter import Meter
from schemas.offers import AddOn, Coupon, Discount
from schemas.plan_policies import Policies
from schemas.plan_reach import RampPhase
from schemas.price_terms import PROBLEMS
from schemas.prices import TAG, PerUnit, Tier
from schemas.rate_card import Grace, Quota, RateCard, UnitCost
from schemas.tax import TaxRule

_MODELS: dict[Path, type[BaseModel]] = {
    (): Catalog,
    ("meters", "*"): Meter,
    ("plans", "*"): Plan,
    ("plans", "*", "meters", "*"): RateCard,
    ("plans", "*", "meters", "*", "overage"): PerUnit,
    ("plans", "*", "meters", "*", "overage", "tiers", "*"): Tier,
    ("plans", "*", "meters", "*", "overage", "prices", "*"): PerUnit,
    ("plans", "*", "meters", "*", "grace"): Grace,
    ("plans", "*", "meters", "*", "quotas", "*"): Quota,
    ("plans", "*", "meters", "*", "quotas", "*", "grace"): Grace,
    ("plans", "*", "discount"): Discount,
    ("plans", "*", "policies"): Policies,
    ("plans", "*", "ramp", "*"): RampPhase,
    ("costs", "*"): UnitCost,
    ("coupons", "*"): Coupon,
    ("add_ons", "*"): AddOn,
    ("taxes", "*"): TaxRule,
    ("late_usage",): LateUsagePolicy,
}
_REASONS = MappingProxyType(
    {
        "missing": "it is missing; add it",
        "int_parsing": "{input!r} is not a whole number; write it like 1000000 or 1_000_000",
        "int_type": "{input!r} is not a whole number; write it like 1000000 or 1_000_000",
        "string_pattern_mismatch": "{input!r} is not a name; use a-z, 0-9 and _, a letter first",
        "string_type": "a text is wanted here, not a list or mapping",
        "literal_error": "{input!r} is not known; use {expected}",
        "dict_type": "a mapping is wanted here: lines of `key: value`",
        "model_type": "a mapping is wanted here: lines of `key: value`",
        "tuple_type": "a list is wanted here, such as [a, b]",
        "too_short": "it is empty; name at least one",
        "greater_than_equal": "{input!r} is too small; write {ge} or more",
        "less_than_equal": "{input!r} is too large; write {le} or less",
    }
)
"""What a person reads for each kind of pydantic error; the others say it themselves."""


def parse(text: str, name: str) -> Catalog:
    """Read a price list; `name` is the file's name in errors.

    Raises:
        InvalidInput: one line `file:line:column: path: reason; remedy` for each error found.
    """
    document = with_parents(read_yaml(text, name))
    try:
        catalog = Catalog.model_validate(document.tree)
    except ValidationError as invalid:
        lines = [line for error in invalid.errors() for line in _explain(error, document)]
        raise InvalidInput("\n".join(lines)) from None
    if found := list(contradictions(catalog)):
        raise InvalidInput("\n".join(_line(document, *each, of_key=False) for each in found))
    return catalog


def canonical(catalog: Catalog) -> bytes:
    """The bytes by which a price list is stored and hashed: JSON without the file's comments.

    `Catalog.model_validate_json` reads them back. Meters and plans keep their order, since an
    event's values refer to meters by index.
    """
    return catalog.model_dump_json().encode()


def _explain(error: ErrorDetails, document: MarkedYaml) -> Iterator[str]:
    of_key = error["type"] == "extra_forbidden" or "[key]" in error["loc"]
    path = tuple(part for part in error["loc"] if not str(part).startswith(("[key]", TAG)))
    if error["type"] == PROBLEMS:
        for inner, reason in error["ctx"]["problems"]:
            yield _line(document, (*path, *inner), reason, of_key=False)
    else:
        yield _line(document, path, _reason(error, path), of_key=of_key)


def _line(document: MarkedYaml, path: Path, reason: str, *, of_key: bool) -> str:
    # What is missing or wrong as a whole is pointed at by the key of the mapping around it.
    whole = path not in document.values or document.is_mapping(path)
    where = ".".join(map(str, path)) or "the price list"
    return f"{document.place(path, of_key=of_key or whole)}: {where}: {reason}"


def _reason(error: ErrorDetails, path: Path) -> str:
    if error["type"] == "extra_forbidden":
        return _unknown_key(path)
    known = _REASONS.get(error["type"])
    if known is None:
        return error["msg"].removeprefix("Value error, ")
    return known.format(input=error["input"], **error.get("ctx", {}))


def _unknown_key(path: Path) -> str:
    fields = list(_model_at(path[:-1]).model_fields)
    close = get_close_matches(str(path[-1]), fields, n=1)
    remedy = f"did you mean {close[0]!r}?" if close else f"there are {', '.join(fields)}"
    return f"the key is not known; {remedy}"


def _model_at(path: Path) -> type[BaseModel]:
    """The model whose keys stand at a path."""
    return next(
        model
        for pattern, model in _MODELS.items()
        if len(pattern) == len(path)
        and all(want in ("*", part) for want, part in zip(pattern, path, strict=True))
    )
