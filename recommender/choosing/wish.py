"""What a reader asks of a list of recommendations: how long, of which products, in which order."""

from dataclasses import dataclass

SHOWN = 10

CHANCE = "chance"
VALUE = "value"
ORDERS = (CHANCE, VALUE)


@dataclass(frozen=True)
class Wish:
    """One reader's wish; the defaults ask for the list as the agent made it.

    `diversity` is from 0 (by chance alone) to 1 (as mixed as can be), None for what the settings say.
    `not_bought_days` leaves out what the customer bought in so many days before now. Prices are in the
    Source's currency, bounds included.
    """

    limit: int = SHOWN
    category: str = ""
    price_min: float | None = None
    price_max: float | None = None
    in_stock: bool = False
    not_bought_days: int | None = None
    order: str = CHANCE
    diversity: float | None = None

    @property
    def filters(self) -> bool:
        """Whether some products are not wanted, whatever their chance."""
        bounds = (self.price_min, self.price_max, self.not_bought_days)
        return bool(self.category or self.in_stock or any(bound is not None for bound in bounds))
