from datetime import UTC, datetime

import pytest

from crm_demo.simulator import ShopSpec

UNTIL = datetime(2026, 11, 20, 15, tzinfo=UTC)


def test_the_last_day_of_history_is_the_day_of_until() -> None:
    spec = ShopSpec(until=UNTIL, days=730)
    assert spec.first_day == datetime(2024, 11, 21, tzinfo=UTC)
    assert spec.all_days == 820


@pytest.mark.parametrize(("customers", "products"), [(500, 240), (1500, 373), (1_000_000, 5024)])
def test_the_catalogue_grows_more_slowly_than_the_shop(customers: int, products: int) -> None:
    assert ShopSpec(customers=customers).products == products


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"customers": 0}, "customers is 0; choose between 1 and 5,000,000."),
        ({"seed": -1}, "seed is -1; choose between 0 and 2147483647."),
        ({"days": 10}, "days is 10; the shop needs at least 200 days of history."),
        ({"until": datetime(2026, 1, 1)}, "until is 2026-01-01 00:00:00; give it a time zone."),  # noqa: DTZ001
    ],
)
def test_an_impossible_wish_is_refused_with_the_value(values: dict[str, int], message: str) -> None:
    with pytest.raises(ValueError, match="^" + message.replace(".", r"\.") + "$"):
        ShopSpec(**values)  # type: ignore[arg-type]


def test_streams_of_chance_do_not_repeat_each_other() -> None:
    spec = ShopSpec(until=UNTIL)
    assert spec.rng(3, 0).random() == spec.rng(3, 0).random()
    assert spec.rng(3, 0).random() != spec.rng(3, 1).random()
    assert spec.rng(3).random() != spec.rng(4).random()
