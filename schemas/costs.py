"""What tokens cost us, by model: a table in one currency, beside what tenants pay.

Owns the shape and its rules; nothing of it is on an invoice.
"""

from collections.abc import Iterable
from typing import NamedTuple, Self

from pydantic import Field, model_validator

from schemas.meter import Name
from schemas.money import PICO, divide_half_away, minor_per_major, parse_pico
from schemas.price_terms import Closed, Currency, Price, tell
from schemas.quantity import MICRO

_TOKENS_A_PRICE = 1_000_000


class ModelUse(NamedTuple):
    """What a tenant used of a model in a month by one meter, in 1e-6 units."""

    tenant: str
    model: str
    meter: str
    quantity_micro: int


class ModelCost(Closed):
    """What a million tokens of a model cost, those that go in and those that come out."""

    input: Price
    output: Price

    def cost_minor(self, input_micro: int, output_micro: int, currency: str) -> int:
        """What 1e-6 tokens in and out cost in minor units, rounded once."""
        exact = input_micro * parse_pico(self.input) + output_micro * parse_pico(self.output)
        whole = MICRO * PICO * _TOKENS_A_PRICE
        return divide_half_away(exact * minor_per_major(currency), whole)


class CostTable(Closed):
    """The models' costs in one currency, and the meters that count their tokens.

    `default` is for every model that is not named; without it, one that is not is an error.
    """

    currency: Currency
    models: dict[str, ModelCost] = Field(default_factory=dict)
    default: ModelCost | None = None
    input_meter: Name = "input_tokens"
    output_meter: Name = "output_tokens"

    @model_validator(mode="after")
    def _names_any(self) -> Self:
        if not self.models and self.default is None:
            tell([(("models",), "name at least one model, or a `default` for all")])
        return self

    def of(self, model: str) -> ModelCost | None:
        """The costs of a model, or those of all others."""
        return self.models.get(model, self.default)

    def unknown(self, models: Iterable[str]) -> list[str]:
        """The models that the table says nothing of, in order."""
        return sorted({model for model in models if self.of(model) is None})
