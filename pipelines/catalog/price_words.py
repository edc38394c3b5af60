"""A price in words, as a price list's reader would say it."""

from collections.abc import Iterator

from schemas.prices import (
    DEFAULT,
    Graduated,
    Matrix,
    Package,
    Percentage,
    PerUnit,
    PriceModel,
    Tier,
    Volume,
)
from schemas.quantity import format_micro


def price_in_words(price: PriceModel, currency: str) -> str:
    """What more costs in one currency: "0.01 per 1,000", "1 each up to 100; 0.5 each beyond"."""
    match price:
        case PerUnit():
            return _per(price.price[currency], price.per)
        case Package():
            return f"{price.price[currency]} for every {price.per:,} begun"
        case Percentage():
            return ", ".join(_percentage(price, currency))
        case Graduated():
            return "; ".join(_tiers(price.tiers, currency))
        case Volume():
            return f"all at the tier of the whole: {'; '.join(_tiers(price.tiers, currency))}"
        case Matrix():
            return "; ".join(_matrix(price, currency))


def _per(amount: str, per: int) -> str:
    return f"{amount} each" if per == 1 else f"{amount} per {per:,}"


def _percentage(price: Percentage, currency: str) -> Iterator[str]:
    fixed = f" and {price.fixed[currency]} once" if currency in price.fixed else ""
    yield f"{format_micro(price.rate * 100)}% of the amount{fixed}"
    if currency in price.minimum:
        yield f"at least {price.minimum[currency]}"
    if currency in price.maximum:
        yield f"at most {price.maximum[currency]}"


def _tiers(tiers: tuple[Tier, ...], currency: str) -> Iterator[str]:
    for tier in tiers:
        whole, _, part = ("" if tier.up_to is None else format_micro(tier.up_to)).partition(".")
        bound = f"up to {int(whole):,}{'.' * bool(part)}{part}" if whole else "beyond"
        words = [_per(tier.price[currency], tier.per)] if tier.price else []
        words += [f"{tier.flat[currency]} once"] if tier.flat else []
        yield f"{' and '.join(words)} {bound}"


def _matrix(price: Matrix, currency: str) -> Iterator[str]:
    for value, each in price.prices.items():
        whose = f"otherwise, by {price.by}" if value == DEFAULT else f"for {value}"
        yield f"{_per(each.price[currency], each.per)} {whose}"
