"""Values of properties in one form, so that an event's and a price list's can be compared.

A text is itself, a number its decimal text, a truth value `true` or `false`: 7, 7.0 and "7" are one
label. What is made of labels (filters, pricing keys, distinct members) is said elsewhere.
"""

from decimal import Decimal
from typing import Annotated

from pydantic import BeforeValidator

from schemas.decimals import scaled
from schemas.quantity import format_micro

MAX_LABEL = 200
"""Longest label, in characters."""


def label(value: object) -> str:
    """The label of a JSON value: a text, an int, a Decimal made from a number's text, a bool.

    Raises:
        ValueError: neither of these, a number with more than six decimals, empty or too long.
    """
    if isinstance(value, bool):
        text = "true" if value else "false"
    elif isinstance(value, Decimal):
        text = format_micro(scaled(value, 6))
    elif isinstance(value, str | int):
        text = str(value)
    else:
        raise ValueError(f"{value!r} is neither text nor a number")
    if not 1 <= len(text) <= MAX_LABEL:
        raise ValueError(f"its length is {len(text)}, not 1 to {MAX_LABEL} characters")
    return text


Label = Annotated[str, BeforeValidator(label)]
"""A label in a price list. A number is written in its shortest form there: 1.5, not 1.50."""
