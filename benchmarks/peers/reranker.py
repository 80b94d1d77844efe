"""Candidates of several peers, put in order by LightGBM (LambdaRank): the strongest peer known here.

One booster learns the order of all candidates, another that of the products new to the customer. Number of
windows, leaves, rounds and the objective were chosen on the cut-offs 2011-06-17 and 2011-07-15.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.peers import SEED
from benchmarks.peers.candidates import Pool
from benchmarks.peers.features import Facts, ranks
from benchmarks.peers.log import Array, Floats, Ints, Log

BATCH = 512  # customers
WINDOWS = 5  # of training, one horizon apart; the last of them ends at the cut-off
ROUNDS = 200
SETTINGS: dict[str, Any] = {
    "objective": "lambdarank",
    "learning_rate": 0.05,
    "num_leaves": 63,
    "min_child_samples": 50,
    "feature_fraction": 0.5,
    "bagging_fraction": 0.8,
    "bagging_freq": 1,
    "lambda_l2": 5.0,
    "lambdarank_truncation_level": 30,
    "max_bin": 127,
    "num_threads": 1,
    "seed": SEED,
    "verbose": -1,
}


@dataclass(frozen=True)
class Sample:
    """Candidates of some queries as rows, by query."""

    names: list[str]
    values: Array  # (R, F)
    query: Ints  # (R,) ascending
    product: Ints  # (R,)
    label: Array  # (R,) 1 where it was bought; zeros where nobody knows yet

    def take(self, rows: Ints | np.ndarray) -> "Sample":
        return Sample(self.names, self.values[rows], self.query[rows], self.product[rows], self.label[rows])

    def fresh(self) -> "Sample":
        """The products that are new to their customer."""
        return self.take(np.flatnonzero(self.values[:, self.names.index("own_ever")] == 0))

    def taught(self) -> "Sample":
        """Without the queries that have no hit: they teach no order."""
        hits = np.bincount(self.query, self.label)
        return self.take(np.flatnonzero(hits[self.query] > 0))


class Moment:
    """All that is known at one moment, ready to describe the candidates of any customers."""

    def __init__(self, log: Log, moment: float) -> None:
        self.log, self.moment = log, moment
        self.pool, self.facts = Pool.fit(log, moment), Facts(log, moment)

    def sample(self, customers: Ints) -> Sample:
        facts = self.facts
        own = facts.counts[365.0][customers].toarray().astype(np.float32)
        chosen, scores = self.pool.candidates(customers, own)
        query, product = chosen.nonzero()
        who = customers[query]
        columns: dict[str, Any] = facts.pair(who, product)
        for name, table in scores.items():
            columns[name] = table[query, product]
            columns[f"{name}_rank"] = ranks(query, columns[name])
        columns |= {name: value[product] for name, value in facts.product.items()}
        for name in ("sold_28", "season"):
            columns[f"{name}_rank"] = ranks(query, columns[name])
        columns |= {name: value[who] for name, value in facts.customer.items()}
        values = np.stack([np.asarray(value, np.float32) for value in columns.values()], axis=1)
        return Sample(list(columns), values, query, product, np.zeros(len(query), np.float32))

    def lesson(self, stop: float) -> Sample:
        """Candidates of those who buy before `stop`, labelled."""
        log = self.log
        customers, part = log.buyers(self.moment, stop), log.between(self.moment, stop)
        bought = np.unique(log.customer[part] * log.products + log.product[part])
        parts = []
        for start in range(0, len(customers), BATCH):
            asked = customers[start : start + BATCH]
            found = self.sample(asked)
            hits = np.isin(asked[found.query] * log.products + found.product, bought)
            parts.append(
                Sample(found.names, found.values, found.query, found.product, hits.astype(np.float32))
            )
        return join(parts)


def join(parts: list[Sample]) -> Sample:
    """Rows of several samples as one; its queries are numbered on."""
    sizes = [int(part.query.max(initial=-1)) + 1 for part in parts]
    starts = np.cumsum(sizes) - sizes
    return Sample(
        parts[0].names,
        np.concatenate([part.values for part in parts]),
        np.concatenate([part.query + start for part, start in zip(parts, starts, strict=True)]),
        np.concatenate([part.product for part in parts]),
        np.concatenate([part.label for part in parts]),
    )


class Booster:
    """LightGBM over a sample's columns."""

    def __init__(self, lesson: Sample) -> None:
        import lightgbm

        lesson = lesson.taught()
        sizes = np.bincount(lesson.query)
        data = lightgbm.Dataset(
            lesson.values, lesson.label, group=sizes[sizes > 0], feature_name=lesson.names
        )
        self.model = lightgbm.train(SETTINGS, data, ROUNDS)

    def scores(self, sample: Sample, queries: int, products: int) -> Array:
        """-inf for what is no candidate. (Q, P)"""
        found = np.full((queries, products), -np.inf, np.float32)
        found[sample.query, sample.product] = self.model.predict(sample.values, num_threads=1)
        return found


class Reranker:
    """Fitted on the windows before `moment`, whose purchases may reach up to it. Raises ImportError."""

    def __init__(self, log: Log, moment: float, horizon: float = 28.0, windows: int = WINDOWS) -> None:
        import implicit  # noqa: F401  # before minutes of work
        import lightgbm  # noqa: F401

        self.log = log
        starts: Floats = moment - horizon * np.arange(1, windows + 1)
        lesson = join([Moment(log, float(start)).lesson(start + horizon) for start in starts])
        self.overall, self.fresh = Booster(lesson), Booster(lesson.fresh())
        self.now = Moment(log, moment)

    def __call__(self, customers: Ints) -> tuple[Array, Array]:
        """Scores of all candidates, and of the new ones by their own model. 2 x (Q, P)"""
        sample, shape = self.now.sample(customers), (len(customers), self.log.products)
        return self.overall.scores(sample, *shape), self.fresh.scores(sample.fresh(), *shape)

    def single(self, customers: Ints) -> Array:
        """The first model's scores for everything, new products included. (Q, P)"""
        return self.overall.scores(self.now.sample(customers), len(customers), self.log.products)
