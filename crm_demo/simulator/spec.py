from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import numpy as np

FACTORS = 6  # length of a taste vector
STAPLES = 8  # products a customer buys again and again, at most
FUTURE_DAYS = 90  # simulated past the end, for the ground truth only
CHUNK = 4000  # customers simulated at once; bounds the memory


def _this_hour() -> datetime:
    return datetime.now(UTC).replace(minute=0, second=0, microsecond=0)


@dataclass(frozen=True)
class ShopSpec:
    """What is asked of the simulator. The same spec gives the same shop, row for row."""

    customers: int = 3000
    seed: int = 1
    until: datetime = field(default_factory=_this_hour)  # last moment that the CRM knows
    days: int = 730

    def __post_init__(self) -> None:
        if not 1 <= self.customers <= 5_000_000:
            raise ValueError(f"customers is {self.customers}; choose between 1 and 5,000,000.")
        if not 0 <= self.seed < 2**31:
            raise ValueError(f"seed is {self.seed}; choose between 0 and {2**31 - 1}.")
        if self.days < 200:
            raise ValueError(f"days is {self.days}; the shop needs at least 200 days of history.")
        if self.until.tzinfo is None:
            raise ValueError(f"until is {self.until}; give it a time zone.")

    @property
    def products(self) -> int:
        """Size of the catalogue: 240 for a small shop, about 5,000 for a million customers."""
        wanted: float = 20 * self.customers**0.4
        return max(240, round(wanted))

    @property
    def first_day(self) -> datetime:
        """Midnight (UTC) of day 0; every day number counts from here."""
        midnight = self.until.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        return midnight - timedelta(days=self.days - 1)

    @property
    def all_days(self) -> int:
        """Days that are simulated: history and the future that only the ground truth knows."""
        return self.days + FUTURE_DAYS

    def rng(self, stream: int, part: int = 0) -> np.random.Generator:
        """Return the generator of one independent stream, e.g. one chunk of customers."""
        return np.random.default_rng([self.seed, stream, part])
