"""How many customers bought a product in a span of time: what every reason about others rests on."""

import numpy as np
from scipy import sparse

from neural.data.history import Floats, Ints
from neural.data.world import World

LEAST_CUSTOMERS = 3  # who did something, before that counts as evidence


def bought(world: World, start: float, stop: float) -> tuple[Ints, Ints]:
    """Each customer and product of which there is a purchase from `start` on, before `stop`. 2 x (R,)"""
    own = world.own
    within = np.flatnonzero((own.time >= start) & (own.time < stop))
    customer = world.history.visit_customer[own.visit[within]]
    seen = np.zeros(len(own.pair_product), bool)
    seen[own.pair_start[customer] + own.slot[within]] = True
    pairs = np.flatnonzero(seen)
    return np.searchsorted(own.pair_start, pairs, side="right") - 1, own.pair_product[pairs]


def buyers(world: World, start: float, stop: float) -> Ints:
    """Customers who bought each product from `start` on, before `stop`. (P,)"""
    return np.bincount(bought(world, start, stop)[1], minlength=len(world.vocabulary.products))


def bought_table(world: World, start: float, stop: float) -> sparse.csr_array:
    """1 where a customer bought a product from `start` on, before `stop`. (customers, P)"""
    customer, product = bought(world, start, stop)
    shape = (len(world.history.customers), len(world.vocabulary.products))
    return sparse.coo_array((np.ones(len(customer), np.int32), (customer, product)), shape=shape).tocsr()


def clearly_more(found: Floats, expected: Floats, noise: Floats, least: int) -> Floats:
    """By how many standard deviations `found` lies above `expected`; 0 unless it is clearly more.

    That is: at least `least`, half as much again, and by 3 deviations. `noise` is the variance of the
    difference.
    """
    deviations = (found - expected) / np.sqrt(np.maximum(noise, 1.0))
    clear = (found >= least) & (found >= 1.5 * expected) & (deviations >= 3)
    return np.where(clear, deviations, 0.0)
