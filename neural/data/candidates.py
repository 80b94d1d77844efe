"""Candidates: the products that a customer may well buy, and everything known of each such pair.

A customer's candidates are what the customer ever bought, what goes with it or is expected from it, and what
the market buys now or bought in this season a year ago. All others are told apart by the market's trends.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from neural.data import pieces, repeats, trends
from neural.data.history import Floats, Ints
from neural.data.known import Known
from neural.data.repeats import Repeats
from neural.data.similarity import Neighbours
from neural.data.world import Queries, World

Floats32 = npt.NDArray[np.float32]
Products = npt.NDArray[np.signedinteger]  # numbers of products, 32 or 64 bits wide

NEAR = 100  # products that go with a customer's own
HOPED = 100  # products that the autoencoder expects most
MARKET = 80  # products leading in each of LEADING
LEADING = (trends.MONTH, trends.SEASON, len(trends.WINDOWS) + 2)
RANKED = ("near", "expected", "suits", "worded", "month", "season")  # see `CandidateFinder.find`
COLUMNS = (
    *repeats.COLUMNS,
    "near",
    "expected",
    "suits",
    "worded",
    *(f"{name}_rank" for name in RANKED),
    "price_gap",
    "price",
    "dearer",
    *(f"market_{number}" for number in range(trends.FEATURES)),
    *pieces.COLUMNS,
    *(f"habit_{number}" for number in range(repeats.HABITS)),
)
FEATURES = len(COLUMNS)


@dataclass(frozen=True)
class Candidates:
    """R pairs, sorted by query, then product."""

    query: Ints  # (R,)
    product: Ints  # (R,)
    own: npt.NDArray[np.bool_]  # (R,) the customer bought it before
    features: Floats32  # (R, FEATURES) own purchases, closeness, price, the market's


class CandidateFinder:
    """Finds the candidates of queries; what everybody's purchases say is that of the newest anchor."""

    def __init__(self, world: World, neighbours: Neighbours) -> None:
        self.world, self.known = world, Known(world, neighbours)

    def find(self, queries: Queries, own: Repeats, market: Floats32, day: Ints) -> Candidates:
        """`own` are the queries' purchases, (D, P, F) `market` their days' trends and (Q,) `day` its rows.

        Features, COLUMNS: the customer's own purchases; how well the product goes with them, is expected
        from them (autoencoder), suits the customer (factors) and is worded like them; the rank of these and
        of its sales among the candidates; its price beside the customer's usual one, and beside the one
        that the customer paid; the market's trends and pieces; the customer's habits.
        """
        leaders = [leading(each) for each in market]
        query, product, near, expected = self._picked(queries, own, [leaders[row] for row in day.tolist()])
        width = len(self.world.vocabulary.products)
        place = np.searchsorted(query * width + product, own.query * width + own.product)

        bought = np.zeros((len(query), repeats.FEATURES), np.float32)
        bought[place] = own.features
        is_own, paid = np.zeros(len(query), bool), np.full(len(query), np.nan)
        is_own[place], paid[place] = True, own.paid
        told = self.known.pieces(queries, query, product)  # (R, len(pieces.COLUMNS))
        now = told[:, pieces.COLUMNS.index("price")]
        trend = market[day[query], product]
        voices = [
            near,
            expected,
            self.known.suits(queries, query, product),
            self.known.worded(queries, query, product),
        ]
        sales = [trend[:, trends.MONTH], trend[:, trends.SEASON]]
        price = self.world.vocabulary.product_price
        columns = [
            *voices,
            *(np.log1p(places(query, value)) for value in (*voices, *sales)),
            price[product] - self._price(own, len(queries))[query],
            price[product],
            np.where(np.isnan(paid), 0.0, now - paid),
        ]
        pair = np.stack(columns, axis=1).astype(np.float32)
        features = np.concatenate([bought, pair, trend, told, own.habits[query]], axis=1)
        return Candidates(query, product, is_own, features)

    def _picked(
        self, queries: Queries, own: Repeats, leaders: list[Ints]
    ) -> tuple[Ints, Ints, Floats32, Floats32]:
        """Query and product of the candidates, closeness to the customer's own, what is expected. 4 x (R,)

        Query by query on scratch rows as long as the catalogue, so that no (Q, P) array is ever held.
        `leaders` are the market's candidates of each query.
        """
        near, hopes = self.known.neighbours.closeness(queries), self.known.expected(queries)
        width = len(self.world.vocabulary.products)
        closeness, hope = np.zeros(width, np.float32), np.zeros(width, np.float32)
        taken = np.zeros(width, bool)
        edges = np.searchsorted(own.query, np.arange(len(queries) + 1))
        rows: list[tuple[Ints, Floats32, Floats32]] = []
        for row, ahead in enumerate(leaders):
            some = slice(near.indptr[row], near.indptr[row + 1])
            alike, value = near.indices[some], near.data[some]
            seen, score = hopes[row]
            closeness[alike], hope[seen] = value, score
            first, hoped = strongest(alike, value, NEAR), strongest(seen, score, HOPED)
            for chosen in (first, hoped, ahead, own.product[edges[row] : edges[row + 1]]):
                taken[chosen] = True
            product = np.flatnonzero(taken)
            rows.append((product, closeness[product], hope[product]))
            closeness[alike], hope[seen], taken[product] = 0, 0, False
        size = [len(product) for product, _, _ in rows]
        nothing = (np.zeros(0, np.int64), np.zeros(0, np.float32), np.zeros(0, np.float32))
        parts = [np.concatenate(part) for part in zip(nothing, *rows, strict=True)]
        return np.repeat(np.arange(len(rows)), size), parts[0], parts[1], parts[2]

    def _price(self, own: Repeats, queries: int) -> Floats:
        """The usual price of what each customer buys. (Q,)"""
        weight = own.times.astype(np.float64)
        price = self.world.vocabulary.product_price
        total = np.bincount(own.query, weight * price[own.product], queries)
        return np.asarray(total / np.maximum(np.bincount(own.query, weight, queries), 1e-9))


def leading(market: Floats32) -> Ints:
    """The products of one day's trends (P, F) that lead in what sells now or sold in this season."""
    found = []
    for column in LEADING:
        sold = np.flatnonzero(market[:, column] > 0)
        found.append(strongest(sold, market[sold, column], MARKET))
    return np.unique(np.concatenate(found))


def strongest(product: Products, value: Floats32, most: int) -> Products:
    """Products of the `most` largest values, largest first; of equals the lower number. (n,) -> (<= n,)"""
    if len(value) > most:
        kept = np.flatnonzero(value >= np.partition(value, len(value) - most)[len(value) - most])
        product, value = product[kept], value[kept]
    found: Products = product[np.lexsort((product, -value))[:most]]
    return found


def places(query: Ints, value: Floats32) -> Floats32:
    """Place of each row's value among its query's, 0 for the largest; `query` is ascending. (R,)"""
    order = np.lexsort((-value, query))
    found = np.empty(len(query), np.float32)
    found[order] = np.arange(len(query)) - np.searchsorted(query, query)
    return found
