"""Decimal text and JSON numbers as exact scaled integers; the only place that reads `Decimal`s.

Owns no unit: money and quantities say how many digits they keep.
"""

from decimal import Decimal, InvalidOperation

_MAX_MAGNITUDE = 40


def scaled(value: str | Decimal, digits: int) -> int:
    """The number times 10^digits: "49.99" with 2 digits → 4999. The work is bounded by the text.

    Raises:
        ValueError: not a finite decimal number, beyond 1e40, or more than `digits` decimals.
    """
    number = _finite(value)
    if not number:
        return 0
    if number.adjusted() >= _MAX_MAGNITUDE:
        raise ValueError(f"{value} is out of range")
    sign, figures, exponent = number.as_tuple()
    written = "".join(map(str, figures))
    significant = written.rstrip("0")
    # Without trailing zeros a negative shift always loses a digit, so 1e-999999999 costs nothing.
    shift = int(exponent) + len(written) - len(significant) + digits
    if shift < 0:
        raise ValueError(f"{value} has more than {digits} decimals")
    magnitude: int = int(significant) * 10**shift
    return -magnitude if sign else magnitude


def _finite(value: str | Decimal) -> Decimal:
    try:
        number = Decimal(value)
    except InvalidOperation:
        raise ValueError(f"{value!r} is not a number; write it like 1000000 or 49.99") from None
    if not number.is_finite():
        raise ValueError(f"{value} is not a finite number")
    return number
