"""Words for adjusting lines: what each is, and the arithmetic behind its amount."""

from schemas.invoice import InvoiceLine
from schemas.money import format_minor
from schemas.offers import Product
from schemas.quantity import MICRO, format_micro

_PRODUCTS: dict[Product, str] = {
    "fees": "fees",
    "usage": "usage",
    "add_ons": "add-ons",
    "items": "one-off items",
}


def title(name: str) -> str:
    """A plan's or add-on's name as a person reads it: team_plus → "Team plus"."""
    return name.replace("_", " ").capitalize()


def what(line: InvoiceLine) -> str:
    """What an adjusting line is: "WELCOME, 20% off fees of Pro"."""
    plan, name = title(line.plan), line.name or ""
    return {
        "add_on": f"{_times(line)}{title(name)}",
        "maximum": f"{plan}, usage beyond the maximum",
        "minimum": f"{plan}, up to the minimum",
        "discount": f"{name or plan}, {_off(line)}{_product(line)} of {plan}",
        "tax": _tax(line),
        "credit_applied": f"Credit {name}",
        "correction_tax": f"{name} on late usage",
    }.get(line.kind, name)


def arithmetic(line: InvoiceLine, currency: str) -> str:
    """How the amount comes about: "20% of 49.99", "30.00 held before"."""
    base = _money(line.base_minor or 0, currency)
    match line.kind:
        case "maximum":
            most = _money((line.base_minor or 0) + line.amount_minor, currency)
            return f"{base} of usage, at most {most}"
        case "minimum":
            return f"the minimum is {base}"
        case "tax" if line.amount_minor != line.tax_minor:
            return f"{_money(line.tax_minor or 0, currency)} in {base}"
        case "discount" | "tax":
            return f"{percent(line.rate_ppm or 0)} of {base}" if line.rate_ppm else f"of {base}"
        case "credit_applied":
            left = _money((line.base_minor or 0) + line.amount_minor, currency)
            return f"{base} before, {left} left"
        case _:
            return ""


def _money(amount_minor: int, currency: str) -> str:
    return format_minor(amount_minor, currency).replace("-", "−")


def percent(rate_ppm: int) -> str:
    """A rate as on a price tag: 29,000 millionths → "2.9%"."""
    return f"{format_micro(rate_ppm * 100)}%"


def _times(line: InvoiceLine) -> str:
    quantity = (line.quantity_micro or 0) // MICRO
    return f"{quantity:,} × " if quantity != 1 else ""


def _off(line: InvoiceLine) -> str:
    return f"{percent(line.rate_ppm)} off " if line.rate_ppm is not None else "off "


def _product(line: InvoiceLine) -> str:
    return _PRODUCTS[line.product] if line.product else ""


def _tax(line: InvoiceLine) -> str:
    if not line.rate_ppm:
        return f"{line.name}, 0%"
    within = " included" if line.amount_minor != line.tax_minor else ""
    of = line.meter or _product(line)
    return f"{line.name} {percent(line.rate_ppm)}{within}, on {of} of {title(line.plan)}"
