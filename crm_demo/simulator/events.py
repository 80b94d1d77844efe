"""The rows of Interaction: purchases, returns, visits, questions, complaints and calls."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from crm_demo.simulator.catalogue import CATEGORIES, Catalogue, Floats, Ints
from crm_demo.simulator.codes import customer_code, order_code, product_code
from crm_demo.simulator.life import Life
from crm_demo.simulator.market import Market
from crm_demo.simulator.population import CHANNELS, SEGMENTS, Population
from crm_demo.simulator.spec import ShopSpec
from crm_demo.simulator.words import COMPLAINTS, QUESTIONS

COLUMNS = ("customer", "product", "kind", "at", "quantity", "amount", "basket", "channel", "text")
DAY = 86_400  # seconds
VISITED = 0.5  # share of orders that a visit to the web shop came before
ASKED = 0.05  # share of orders with a question before or after


@dataclass(frozen=True)
class Orders:
    """Purchase lines and the baskets they belong to. L lines, B baskets."""

    customer: Ints  # (L,) within the chunk
    product: Ints  # (L,)
    day: Ints  # (L,)
    first_line: Ints  # (B,) a line of each basket
    second: Floats  # (L,) seconds since day 0, the same for all lines of a basket


def interactions(
    spec: ShopSpec, catalogue: Catalogue, market: Market, people: Population, life: Life, chunk: int
) -> pl.DataFrame:
    """Return every event of a chunk by time, those of the future included."""
    rng = spec.rng(6, chunk)
    orders = _orders(rng, life)
    bought = _purchases(rng, catalogue, market, people, orders)
    parts = [
        bought,
        _returns(rng, catalogue, bought, orders),
        _visits(rng, orders),
        _questions(rng, people, orders),
        _complaints(rng, people, life),
        _calls(rng, life),
    ]
    return _finish(spec, catalogue, people, pl.concat(parts, how="diagonal"))


def _orders(rng: np.random.Generator, life: Life) -> Orders:
    customer, product, day = life.purchases.joined()
    _, first, basket = np.unique(customer * 4096 + day, return_index=True, return_inverse=True)
    opening = rng.uniform(8 * 3600, 21 * 3600, len(first))
    return Orders(customer, product, day, first, day * DAY + opening[basket])


def _purchases(
    rng: np.random.Generator, catalogue: Catalogue, market: Market, people: Population, orders: Orders
) -> pl.DataFrame:
    category = catalogue.category[orders.product]
    price = catalogue.price[orders.product] * market.price_index[orders.day]
    price = price * (1 - market.discount[orders.day, category])
    business = np.array([item.business for item in SEGMENTS])[people.segment[orders.customer]]
    quantity = 1.0 + rng.poisson(np.where(business, 2.0, 0.3))
    return pl.DataFrame(
        {
            "kind": np.full(len(price), "purchase"),
            "customer": orders.customer,
            "product": orders.product,
            "day": orders.day,
            "second": orders.second,
            "quantity": quantity,
            "amount": np.round(quantity * np.maximum(price, 0.01), 2),
            "channel": np.array(CHANNELS)[people.channel[orders.customer]],
        }
    )


def _returns(
    rng: np.random.Generator, catalogue: Catalogue, bought: pl.DataFrame, orders: Orders
) -> pl.DataFrame:
    """A line comes back whole, three to twenty days later, with quantity and amount below zero."""
    share = np.array([item.returned for item in CATEGORIES])[catalogue.category[orders.product]]
    back = bought.filter(pl.Series(rng.random(len(share)) < share))
    delay = rng.uniform(3 * DAY, 20 * DAY, back.height)
    return back.with_columns(
        pl.lit("return").alias("kind"),
        pl.col("second") + pl.Series(delay),
        -pl.col("quantity"),
        -pl.col("amount"),
    )


def _visits(rng: np.random.Generator, orders: Orders) -> pl.DataFrame:
    line = orders.first_line[rng.random(len(orders.first_line)) < VISITED]
    before = rng.uniform(600, 3 * DAY, len(line))
    return _frame("visit", orders.customer[line], orders.product[line], orders.second[line] - before, "web")


def _questions(rng: np.random.Generator, people: Population, orders: Orders) -> pl.DataFrame:
    line = orders.first_line[rng.random(len(orders.first_line)) < ASKED]
    around = rng.uniform(-2 * DAY, 4 * DAY, len(line))
    frame = _frame(
        "question", orders.customer[line], orders.product[line], orders.second[line] + around, "chat"
    )
    return frame.with_columns(_sentences(rng, people, orders.customer[line], QUESTIONS))


def _complaints(rng: np.random.Generator, people: Population, life: Life) -> pl.DataFrame:
    customer, product, day = life.complaints.joined()
    second = day * DAY + rng.uniform(1 * DAY, 5 * DAY, len(day))
    frame = _frame("complaint", customer, product, second, "email")
    return frame.with_columns(_sentences(rng, people, customer, COMPLAINTS))


def _calls(rng: np.random.Generator, life: Life) -> pl.DataFrame:
    customer, product, day = life.calls.joined()
    return _frame("call", customer, product, day * DAY + rng.uniform(9 * 3600, 17 * 3600, len(day)), "phone")


def _frame(kind: str, customer: Ints, product: Ints, second: Floats, channel: str) -> pl.DataFrame:
    frame = pl.DataFrame({"customer": customer, "product": product, "second": second})
    return frame.with_columns(pl.lit(kind).alias("kind"), pl.lit(channel).alias("channel"))


def _sentences(
    rng: np.random.Generator, people: Population, customer: Ints, topics: dict[str, tuple[str, str]]
) -> pl.Series:
    """Draw a sentence each, in the customer's language; {product} is filled in later."""
    table = np.array(list(topics.values()))  # (topics, 2)
    return pl.Series("text", table[rng.integers(0, len(table), len(customer)), people.chinese[customer] * 1])


def _finish(spec: ShopSpec, catalogue: Catalogue, people: Population, frame: pl.DataFrame) -> pl.DataFrame:
    """Replace numbers by the shop's codes and seconds by times; sort by time."""
    frame = frame.with_columns(product_name=pl.Series(catalogue.names).gather(frame["product"].clip(0)))
    microseconds = (pl.col("second") * 1_000_000).cast(pl.Duration("us"))
    about_product = pl.col("product") >= 0
    return (
        frame.with_columns(
            at=(pl.lit(spec.first_day) + microseconds).dt.truncate("1s"),
            customer=customer_code(pl.col("customer") + people.first),
            product=pl.when(about_product).then(product_code(pl.col("product"))),
            basket=pl.when(pl.col("day").is_not_null()).then(
                order_code(pl.col("customer") + people.first, pl.col("day"))
            ),
            text=pl.col("text").str.replace("{product}", pl.col("product_name"), literal=True),
        )
        .select(COLUMNS)
        .sort("at", "customer", "kind", "product")
    )
