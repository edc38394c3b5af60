"""Money as integers of minor units, prices as integers of 1e-12, and the one rounding rule.

No float, no `Decimal` arithmetic: `Decimal` appears only to read and to print text.
"""

from dataclasses import dataclass
from decimal import Decimal

from schemas.decimals import scaled

PICO = 10**12
"""Unit prices are integers of 1e-12 of a currency's major unit."""

MINOR_DIGITS = {"USD": 2, "CNY": 2, "JPY": 0}
"""Digits behind the point of each supported currency (ISO 4217)."""


MOST_MINOR = 10**15
"""The most minor units that a line of usage is said to cost; what is beyond is said to be as much.

It holds its tenant. So far below 64 bits that sums of thousands of such lines fit them. Whatever
else is billed is entered by somebody, and refused beyond it.
"""


@dataclass(frozen=True, slots=True)
class Money:
    """An amount in minor units; it never travels without its currency."""

    amount_minor: int
    currency: str

    def __str__(self) -> str:
        return f"{self.currency} {format_minor(self.amount_minor, self.currency)}"


def at_most(amount_minor: int) -> int:
    """An amount, or the nearest that a line of usage can say."""
    return max(-MOST_MINOR, min(MOST_MINOR, amount_minor))


def divide_half_away(numerator: int, denominator: int) -> int:
    """Divide and round half away from zero: 5/2 → 3, -5/2 → -3.

    Raises:
        ValueError: the denominator is not positive.
    """
    if denominator <= 0:
        raise ValueError("denominator must be positive")
    magnitude = (2 * abs(numerator) + denominator) // (2 * denominator)
    return magnitude if numerator >= 0 else -magnitude


def minor_digits(currency: str) -> int:
    """Digits behind the point: 2 for USD, 0 for JPY.

    Raises:
        ValueError: the currency is not supported.
    """
    if currency not in MINOR_DIGITS:
        raise ValueError(f"currency {currency!r} is not supported; use {', '.join(MINOR_DIGITS)}")
    return MINOR_DIGITS[currency]


def minor_per_major(currency: str) -> int:
    """Minor units in one major unit: 100 for USD, 1 for JPY.

    Raises:
        ValueError: the currency is not supported.
    """
    return int(10 ** minor_digits(currency))


def parse_minor(text: str, currency: str) -> int:
    """Read an amount such as "49.99" as minor units; more digits than the currency has are refused.

    Raises:
        ValueError: not a plain decimal, too many digits behind the point, or unknown currency.
    """
    return scaled(text, minor_digits(currency))


def parse_pico(text: str) -> int:
    """Read a unit price such as "0.000008" as an integer of 1e-12 of a major unit.

    Raises:
        ValueError: not a plain decimal, or more than twelve digits behind the point.
    """
    return scaled(text, 12)


def format_minor(amount_minor: int, currency: str) -> str:
    """Write minor units with the currency's digits: 4999 USD → "49.99", 1200 JPY → "1,200"."""
    digits = minor_digits(currency)
    return f"{Decimal(amount_minor).scaleb(-digits):,.{digits}f}"


def format_pico(price_pico: int) -> str:
    """Write a unit price without trailing zeros: 8_000_000 → "0.000008"."""
    text = f"{Decimal(price_pico).scaleb(-12):f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


TOO_DEAR = f"an amount of {MOST_MINOR:,} minor units or more cannot be billed"
"""Why a tenant is held, or late usage carried on, whose usage of a meter reaches the most."""
