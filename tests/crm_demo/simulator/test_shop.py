import json
from datetime import timedelta

import polars as pl

from crm_demo.simulator import Shop, ShopSpec
from crm_demo.simulator.catalogue import CATEGORIES, CATEGORY_NAMES


def test_the_same_seed_gives_the_same_shop_row_for_row(
    spec: ShopSpec, shop: Shop, events: pl.DataFrame
) -> None:
    again = Shop(spec)
    assert again.products().equals(shop.products())
    assert again.indicators().equals(shop.indicators())
    assert pl.concat(chunk.interactions for chunk in again.chunks()).equals(events)


def test_another_seed_gives_another_shop(spec: ShopSpec, events: pl.DataFrame) -> None:
    other = Shop(ShopSpec(customers=spec.customers, seed=8, until=spec.until))
    assert not next(other.chunks()).interactions.equals(events)


def test_chunks_are_bounded_and_number_the_customers_through(spec: ShopSpec) -> None:
    big = Shop(ShopSpec(customers=4100, seed=7, until=spec.until, days=200))
    chunks = list(big.chunks())
    assert [chunk.customers.height for chunk in chunks] == [4000, 100]
    assert chunks[1].customers["code"][0] == "C0004000"


def test_every_event_is_of_a_known_customer_and_product_and_not_in_the_future(
    spec: ShopSpec, shop: Shop, people: pl.DataFrame, events: pl.DataFrame
) -> None:
    assert set(events["customer"]) <= set(people["code"])
    assert set(events["product"].drop_nulls()) <= set(shop.products()["code"])
    assert (events["at"] <= spec.until).all()
    assert (events["at"] >= spec.first_day - timedelta(days=4)).all()
    assert events["at"].is_sorted()


def test_all_kinds_of_events_occur(events: pl.DataFrame) -> None:
    assert set(events["kind"]) == {"purchase", "return", "visit", "question", "complaint", "call"}


def test_a_product_stands_once_in_a_basket(events: pl.DataFrame) -> None:
    bought = events.filter(pl.col("kind") == "purchase")
    assert bought.select("basket", "product").is_duplicated().sum() == 0
    assert bought.group_by("basket").agg(pl.col("at").n_unique())["at"].max() == 1


def test_a_return_undoes_a_purchase_of_the_same_basket(events: pl.DataFrame) -> None:
    back = events.filter(pl.col("kind") == "return")
    bought = events.filter(pl.col("kind") == "purchase")
    both = back.join(bought, on=["basket", "product"], suffix="_bought")
    assert both.height == back.height > 0
    assert both.select((pl.col("amount") + pl.col("amount_bought")).abs().max()).item() == 0
    assert (both["at"] > both["at_bought"]).all()


def test_nobody_buys_before_joining(people: pl.DataFrame, events: pl.DataFrame) -> None:
    bought = events.filter(pl.col("kind") == "purchase").join(people, left_on="customer", right_on="code")
    assert (bought["at"].dt.date() >= bought["since"]).all()


def test_nobody_buys_what_is_not_on_sale(spec: ShopSpec, shop: Shop, events: pl.DataFrame) -> None:
    items = shop.catalogue
    shelf = pl.DataFrame(
        {"product": shop.products()["code"], "launched": items.launched, "withdrawn": items.withdrawn}
    )
    day = (pl.col("at") - pl.lit(spec.first_day)).dt.total_days()
    bought = events.filter(pl.col("kind") == "purchase").join(shelf, on="product").with_columns(day=day)
    assert (bought["day"] >= bought["launched"]).all()
    assert (bought["day"] < bought["withdrawn"]).all()


def test_questions_come_in_both_languages_and_name_the_product(
    people: pl.DataFrame, events: pl.DataFrame
) -> None:
    asked = events.filter(pl.col("kind").is_in(["question", "complaint"])).join(
        people, left_on="customer", right_on="code"
    )
    chinese = pl.Series([json.loads(raw)["language"] == "zh-hans" for raw in asked["attributes"]])
    has_chinese_words = asked["text"].str.contains(r"\p{Han}")
    assert (has_chinese_words == chinese).all()
    assert 0.15 < chinese.mean() < 0.45  # type: ignore[operator]
    assert not asked["text"].str.contains("{product}", literal=True).any()


def test_seasons_show_in_what_is_bought(shop: Shop, events: pl.DataFrame) -> None:
    bought = events.filter(pl.col("kind") == "purchase").join(
        shop.products(), left_on="product", right_on="code"
    )
    christmas = bought.filter(pl.col("category") == "Christmas decorations")
    in_season = christmas["at"].dt.month().is_in([11, 12]).mean()
    assert in_season > 0.7  # type: ignore[operator]


def test_promotions_are_known_ahead_and_footfall_is_not(spec: ShopSpec, shop: Shop) -> None:
    series = shop.indicators()
    today = spec.until.date()
    assert set(series["series"]) == {"promotion", "holiday", "price_index", "footfall"}
    assert set(series.filter(pl.col("known_ahead"))["series"]) == {"promotion", "holiday"}
    assert series.filter(pl.col("series") == "footfall")["date"].max() == today
    assert series.filter(pl.col("series") == "promotion")["date"].max() > today  # type: ignore[operator]
    assert series.select("series", "scope", "date").is_duplicated().sum() == 0
    assert set(series.filter(pl.col("series") == "promotion")["scope"]) == set(CATEGORY_NAMES)


def test_promotions_make_people_buy(spec: ShopSpec, shop: Shop, events: pl.DataFrame) -> None:
    day = (pl.col("at") - pl.lit(spec.first_day)).dt.total_days()
    bought = events.filter(pl.col("kind") == "purchase").with_columns(day=day)
    number = bought["product"].str.slice(1).cast(pl.Int64)
    lines = bought.with_columns(category=pl.Series(shop.catalogue.category).gather(number))
    durable = [place for place, item in enumerate(CATEGORIES) if item.cycle == 0 and item.peak == 0]
    lines = lines.filter(pl.col("category").is_in(durable))
    discount = shop.market.discount
    on_offer = pl.Series(
        [discount[d, c] > 0 for d, c in zip(lines["day"], lines["category"], strict=True)]
    ).mean()
    offered = (discount[: spec.days, durable] > 0).mean()
    assert on_offer > 1.3 * offered
