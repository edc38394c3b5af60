"""Quantities as integers of 1e-6 units: how they are read from JSON numbers and printed.

A quantity with more than six decimals is refused, never rounded.
"""

from decimal import Decimal

from schemas.decimals import scaled

MICRO_DIGITS = 6
MICRO = 10**6
"""Quantities are integers of 1e-6 of a meter's unit."""

MAX_QUANTITY = 10**11
"""Largest value of one property, in units: nine of them added still fit a Decimal(18, 6)."""


MOST_MICRO = 2**63 - 1
"""The most that a tenant's use of a meter in a month is said to be, and so on every line of it.

What is beyond is said to be as much, up or down, and holds its tenant.
"""


def clamped(micro: int) -> int:
    """A quantity, or the nearest that can be said."""
    return max(-MOST_MICRO, min(MOST_MICRO, micro))


def to_micro(value: object) -> int:
    """Read a JSON number (an int, or a Decimal made from its text) or decimal text as 1e-6 units.

    Raises:
        ValueError: not a number, not finite, out of range, or more than six decimals.
    """
    if type(value) is int:
        micro = value * MICRO
    elif isinstance(value, str | Decimal):
        micro = scaled(value, 6)
    else:
        raise ValueError(f"{value!r} is not a number")
    if abs(micro) > MAX_QUANTITY * MICRO:
        raise ValueError(f"{value} is beyond {MAX_QUANTITY} units")
    return micro


def format_micro(micro: int) -> str:
    """Write 1e-6 units without trailing zeros: 195483870968 → "195483.870968"."""
    sign = "-" if micro < 0 else ""
    whole, part = divmod(abs(micro), MICRO)
    return f"{sign}{whole}.{part:06d}".rstrip("0") if part else f"{sign}{whole}"


TOO_MUCH = f"more than {format_micro(MOST_MICRO)} units cannot be billed"
"""Why a tenant is held, or late usage carried on, that reaches the most that can be said."""
