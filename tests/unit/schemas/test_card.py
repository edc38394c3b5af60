"""How cards are written: numbers, and what is saved at Stripe."""

import pytest

from schemas.card import SavedMethod, card_fault, saved_method
from schemas.subscription import GOOD_CARD


@pytest.mark.parametrize("card", [GOOD_CARD, "1" * 12, "1" * 19, "cus_1/pm_1", "cus_Ab9/card_Xy"])
def test_numbers_and_what_is_saved_at_stripe_are_cards(card: str) -> None:
    assert card_fault(card) is None


@pytest.mark.parametrize(
    "card",
    ["", "4242", "1" * 11, "1" * 20, "１" * 16, "cus_1", "cus_1/", "cus_/pm_1", "pm_1/cus_1",
     "cus_1/pm_1/", "cus_1/pm_1\n", " cus_1/pm_1"],
)  # fmt: skip
def test_others_are_told_with_both_ways_to_write_one(card: str) -> None:
    assert card_fault(card) == (
        f"{card!r} is not a card; write 12 to 19 digits, or cus_…/pm_… for Stripe"
    )


def test_what_is_saved_has_two_parts() -> None:
    assert saved_method("cus_1/pm_2") == SavedMethod(customer="cus_1", method="pm_2")
    assert saved_method(GOOD_CARD) is None
