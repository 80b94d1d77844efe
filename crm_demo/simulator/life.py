"""Two years and a little more of a chunk of customers, day by day, all customers at once."""

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from crm_demo.simulator.catalogue import CATEGORIES, Catalogue, Floats, Ints
from crm_demo.simulator.market import Market
from crm_demo.simulator.population import Population, draw_products
from crm_demo.simulator.spec import STAPLES, ShopSpec
from crm_demo.simulator.words import TIERS

Mask = npt.NDArray[np.bool_]

ABRUPT = 0.25  # share of leavers who just stop; the others slow down first
NEVER = 10**6
DUE_PULL = 0.1  # daily chance that one product that is used up brings the customer to the shop
PROMOTION_PULL = 4.0  # extra demand for a category per unit of discount and thrift
ADOPTED = 0.3  # share of tried consumables that become staples
TIRED_OF = 0.2  # chance that a staple is bought for the last time
ANGER = 8.0  # factor on the hazard for so many days after a complaint
ANGRY_DAYS = 60
NEWCOMER_RISK = 2.0  # factor on the hazard in the first 90 days


@dataclass
class Leaving:
    """Who leaves and when; the churn part of the ground truth. n customers."""

    slowing_from: Ints  # (n,) day number, NEVER while loyal or when leaving abruptly
    left: Ints  # (n,) day number of the last activity, NEVER while loyal
    angry_until: Ints  # (n,) day number

    @classmethod
    def start(cls, count: int) -> "Leaving":
        return cls(np.full(count, NEVER), np.full(count, NEVER), np.full(count, -1))

    def hazard(self, people: Population, day: int) -> Floats:
        """Return (n,) the true chance of beginning to leave on a day."""
        angry = np.where(self.angry_until > day, ANGER, 1.0)
        newcomer = np.where((day - people.joined < 90) & (people.joined >= 0), NEWCOMER_RISK, 1.0)
        return people.hazard * angry * newcomer

    def begin(self, rng: np.random.Generator, people: Population, day: int) -> None:
        """Let some of today's loyal customers begin to leave, slowly or at once."""
        loyal = (self.left == NEVER) & (people.joined <= day)
        chosen = np.flatnonzero(loyal & (rng.random(len(people)) < self.hazard(people, day)))
        abrupt = rng.random(len(chosen)) < ABRUPT
        length = rng.integers(45, 121, len(chosen))
        self.slowing_from[chosen[~abrupt]] = day
        self.left[chosen] = np.where(abrupt, day, day + length)

    def activity(self, people: Population, day: int) -> Floats:
        """Return (n,) the share of ordinary activity that is left: 1 loyal … 0 gone or not yet here."""
        fading = (self.left - day) / np.maximum(self.left - self.slowing_from, 1)
        share = np.where(self.slowing_from <= day, np.clip(fading, 0, 1), 1.0)
        return share * (people.joined <= day) * (day < self.left)


@dataclass
class Lines:
    """What happened, as parallel lists of arrays that are joined at the end."""

    customer: list[Ints] = field(default_factory=list)
    product: list[Ints] = field(default_factory=list)
    day: list[Ints] = field(default_factory=list)

    def add(self, customer: Ints, product: Ints, day: int) -> None:
        self.customer.append(customer)
        self.product.append(product)
        self.day.append(np.full(len(customer), day))

    def joined(self) -> tuple[Ints, Ints, Ints]:
        """Return customer, product and day; a product stands once in a basket."""
        customer, product, day = (np.concatenate(parts) for parts in (self.customer, self.product, self.day))
        key = (customer * 4096 + day) * 65536 + product
        _, first = np.unique(key, return_index=True)
        return customer[first], product[first], day[first]


@dataclass
class Life:
    """The outcome of a chunk: purchase lines, complaints, calls and who left."""

    purchases: Lines
    complaints: Lines
    calls: Lines
    leaving: Leaving


def live(spec: ShopSpec, catalogue: Catalogue, market: Market, people: Population, chunk: int) -> Life:
    """Simulate every day of a chunk. Changes the staples held by `people`."""
    rng = spec.rng(5, chunk)
    life = Life(Lines(), Lines(), Lines(), Leaving.start(len(people)))
    for day in range(spec.all_days):
        life.leaving.begin(rng, people, day)
        activity = life.leaving.activity(people, day)
        wanting, due = _who_orders(rng, market, people, activity, day)
        customer, product = _baskets(rng, catalogue, market, people, wanting, due, day)
        life.purchases.add(customer, product, day)
        _complain(rng, life, customer, product, day)
        called = np.flatnonzero(rng.random(len(people)) < 0.004 * (activity > 0))
        life.calls.add(called, np.full(len(called), -1), day)
    return life


def _who_orders(
    rng: np.random.Generator, market: Market, people: Population, activity: Floats, day: int
) -> tuple[Mask, Mask]:
    """Return (n,) who orders today and (n, STAPLES) which of their staples are used up."""
    used_up = (people.staples >= 0) & (people.due <= day)
    bargain = 1 + PROMOTION_PULL * 0.5 * people.thrift * market.discount[day].mean()
    free = 1 - np.exp(-people.order_rate * bargain * market.footfall[day] * activity)
    pulled = rng.random(used_up.shape) < DUE_PULL * activity[:, None] * min(1.0, market.footfall[day])
    now_and_then = (rng.random(len(people)) < free) | (used_up & pulled).any(axis=1)
    steadily = _regular_visits(rng, people, activity, day)
    return np.where(people.regular, steadily, now_and_then), used_up


def _regular_visits(rng: np.random.Generator, people: Population, activity: Floats, day: int) -> Mask:
    """Return (n,) whose own interval is over, and begin the next; slowing down stretches it."""
    visiting = (people.next_visit <= day) & (activity > 0)
    pace = people.order_rate[visiting] * np.maximum(activity[visiting], 0.2)
    people.next_visit[visiting] = day + rng.lognormal(0, 0.2, visiting.sum()) / pace
    return visiting


def _baskets(
    rng: np.random.Generator,
    catalogue: Catalogue,
    market: Market,
    people: Population,
    ordering: Mask,
    used_up: Mask,
    day: int,
) -> tuple[Ints, Ints]:
    """Return customer and product of every line of today's orders."""
    who = np.flatnonzero(ordering)
    again_who, again = _staple_lines(rng, catalogue, people, who, used_up, day)
    free_who, free = _free_lines(rng, catalogue, market, people, who, again_who, day)
    extra_who, extra = _complement_lines(rng, catalogue, free_who, free, day)
    _adopt(rng, catalogue, people, free_who, free, day, share=ADOPTED)
    _adopt(rng, catalogue, people, extra_who, extra, day, share=0.6)
    return np.concatenate([again_who, free_who, extra_who]), np.concatenate([again, free, extra])


def _staple_lines(
    rng: np.random.Generator, catalogue: Catalogue, people: Population, who: Ints, used_up: Mask, day: int
) -> tuple[Ints, Ints]:
    """Buy what is used up, and set when it is due again: own cycle, give or take a seventh."""
    nearly = (people.staples[who] >= 0) & (people.due[who] <= day + 0.15 * people.cycle[who])
    row, slot = np.nonzero((used_up[who] | nearly) & (rng.random((len(who), STAPLES)) < 0.88))
    customer = who[row]
    product = people.staples[customer, slot]
    people.due[customer, slot] = day + people.cycle[customer, slot] * rng.lognormal(0, 0.14, len(row))
    gone = catalogue.withdrawn[product] <= day
    dropped = gone | (rng.random(len(row)) < TIRED_OF)
    people.staples[customer[dropped], slot[dropped]] = -1
    return customer[~gone], product[~gone]


def _free_lines(
    rng: np.random.Generator,
    catalogue: Catalogue,
    market: Market,
    people: Population,
    who: Ints,
    again_who: Ints,
    day: int,
) -> tuple[Ints, Ints]:
    """Buy by taste, season and promotion; who came for no staple buys at least one thing."""
    has_staple = np.isin(who, again_who)
    count = np.where(has_staple, rng.poisson(0.7, len(who)), 1 + rng.poisson(1.1, len(who)))
    customer = np.repeat(who, count)
    boost = 1 + PROMOTION_PULL * people.thrift[customer, None] * market.discount[day]  # (m, C)
    odds = people.leaf_odds[customer] * np.repeat(market.season[day] * boost, len(TIERS), axis=1)
    return customer, draw_products(rng, odds, catalogue, day)


def _complement_lines(
    rng: np.random.Generator, catalogue: Catalogue, customer: Ints, product: Ints, day: int
) -> tuple[Ints, Ints]:
    """Half of those who buy a machine take what it needs along."""
    needed = catalogue.complement[product]
    on_sale = (needed >= 0) & (catalogue.launched[needed] <= day) & (catalogue.withdrawn[needed] > day)
    taken = on_sale & (rng.random(len(product)) < 0.5)
    return customer[taken], needed[taken]


def _adopt(
    rng: np.random.Generator,
    catalogue: Catalogue,
    people: Population,
    customer: Ints,
    product: Ints,
    day: int,
    *,
    share: float,
) -> None:
    """Make some tried consumables staples, in place of a random slot."""
    repeated = np.array([item.cycle > 0 for item in CATEGORIES])[catalogue.category[product]]
    known = (people.staples[customer] == product[:, None]).any(axis=1)
    chosen = repeated & ~known & (rng.random(len(product)) < share)
    customer, product = customer[chosen], product[chosen]
    slot = rng.integers(0, STAPLES, len(customer))
    cycle = catalogue.cycle[product] * rng.lognormal(0, 0.3, len(product))
    people.staples[customer, slot] = product
    people.cycle[customer, slot] = cycle
    people.due[customer, slot] = day + cycle


def _complain(rng: np.random.Generator, life: Life, customer: Ints, product: Ints, day: int) -> None:
    """Something goes wrong with one line in sixty; the customer says so and stays angry for a while."""
    wrong = rng.random(len(customer)) < 1 / 60
    life.complaints.add(customer[wrong], product[wrong], day)
    life.leaving.angry_until[customer[wrong]] = day + ANGRY_DAYS
