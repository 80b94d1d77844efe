from dataclasses import replace
from datetime import UTC, datetime

from profiling.selectors import Favourite, Traits
from profiling.wording import trait_words

TRAITS = Traits(
    as_of=datetime(2011, 12, 9, tzinfo=UTC),
    currency="GBP",
    orders=1204,
    orders_last_year=3,
    first_purchase=datetime(2010, 6, 1, tzinfo=UTC),
    last_purchase=datetime(2011, 11, 1, tzinfo=UTC),
    recency_days=38,
    usual_gap_days=31,
    spent=1120.5,
    spent_last_year=69.5,
    average_basket=30.0,
    returns=1,
    returned=20.0,
    products=2546,
    favourite_categories=(Favourite("Kitchen", 3), Favourite("Christmas", 2)),
    favourite_products=(Favourite("Cake stand", 3),),
    interactions={},
)


def test_traits_in_words() -> None:
    assert trait_words(TRAITS) == {
        "recency": "38 days ago",
        "orders": "1,204, of which 3 in the last 365 days",
        "rhythm": "about every 31 days",
        "spent": "1,120.50 GBP, of which 69.50 GBP in the last 365 days",
        "average": "30.00 GBP",
        "returns": "1 return worth 20.00 GBP",
        "different": "2,546",
        "categories": "Kitchen (3), Christmas (2)",
        "products": "Cake stand (3)",
    }


def test_what_is_not_known_is_said() -> None:
    words = trait_words(replace(TRAITS, usual_gap_days=None, returns=0, returned=None))
    assert words["rhythm"] == "not known: fewer than three days of purchase"
    assert words["returns"] == "none"


def test_returns_without_amounts_are_counted() -> None:
    assert trait_words(replace(TRAITS, returns=2, returned=None))["returns"] == "2 returns"


def test_a_daily_buyer_buys_every_day() -> None:
    assert trait_words(replace(TRAITS, usual_gap_days=1))["rhythm"] == "about every day"
