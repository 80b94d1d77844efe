"""What staff said of recommended products: in training a target more or less, afterwards a product less."""

import numpy as np
import numpy.typing as npt

from neural.data.history import Floats, Ints
from neural.data.said import Said
from neural.data.world import Queries, World
from neural.evaluation.ranking import Truth

Floats32 = npt.NDArray[np.float32]

ACCEPTED, DISMISSED, WRONG = "accepted", "dismissed", "wrong"


def verdicts(said: Said, wanted: bool) -> Said:
    """The rows about products of the catalogue."""
    known = np.isin(said.label.astype(str), (ACCEPTED, DISMISSED, WRONG)) & (said.subject == "item")
    return said.where(known & (said.product >= 0) & wanted)


def teach(
    truth: Truth, said: Said, queries: Queries, horizon: float, until: float, weight: float
) -> tuple[Truth, Floats32 | None]:
    """Add accepted products to what was bought, of this weight; take out the dismissed and the wrong.

    Of several verdicts on one product the last counts. Returns the weight of each pair, None where no
    verdict bears on the queries.
    """
    row, query = said.within(queries, horizon, until)
    if not len(row):
        return truth, None
    key = query * truth.products + said.product[row]
    last = {int(pair): str(label) for pair, label in zip(key, said.label[row], strict=True)}
    accepted = np.asarray(sorted(pair for pair, label in last.items() if label == ACCEPTED), np.int64)
    refused = np.asarray(sorted(pair for pair, label in last.items() if label != ACCEPTED), np.int64)
    bought = truth.query * truth.products + truth.product
    pairs = np.union1d(np.setdiff1d(bought, refused), accepted)
    found = Truth.of(pairs // truth.products, pairs % truth.products, len(queries), truth.products)
    return found, np.where(np.isin(pairs, accepted), weight, 1.0).astype(np.float32)


def refused_products(world: World, said: Said, as_of: float) -> dict[str, set[int]]:
    """Products not to be recommended at `as_of`, by customer.

    What was called wrong stays away until the customer buys it; what was dismissed, for a horizon at most.
    """
    found: dict[str, set[int]] = {}
    said = said.where(said.said_at <= as_of)
    if not len(said):
        return found
    bought = _last_bought(world, said.customer, said.product, as_of)
    recent = as_of - said.said_at <= world.config.horizon_days
    away = ((said.label == WRONG) | ((said.label == DISMISSED) & recent)) & (bought <= said.at)
    for name, product, refused in zip(said.name, said.product.tolist(), away.tolist(), strict=True):
        mine = found.setdefault(str(name), set())
        (mine.add if refused else mine.discard)(product)
    return {name: products for name, products in found.items() if products}


def _last_bought(world: World, customer: Ints, product: Ints, as_of: float) -> Floats:
    """When each customer last bought the product before `as_of`; minus infinity for never. (L,)"""
    own, width = world.own, len(world.vocabulary.products)
    before = own.time < as_of
    keys = world.history.visit_customer[own.visit[before]] * width + own.product[before]
    pairs, place = np.unique(keys, return_inverse=True)
    last = np.full(len(pairs) + 1, -np.inf)  # one place more, for what was never bought
    np.maximum.at(last, place, own.time[before])
    wanted = customer * width + product
    found = np.searchsorted(pairs, wanted)
    hit = (found < len(pairs)) & (customer >= 0)
    hit[hit] &= pairs[found[hit]] == wanted[hit]
    return last[np.where(hit, found, len(pairs))]
