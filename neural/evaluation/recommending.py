"""One window's test of recommenders: the same customers and truth for the model and every baseline."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from neural.data.history import Floats, Ints
from neural.data.world import Queries
from neural.evaluation.novelty import Popularity
from neural.evaluation.ranking import Truth, by_length, query_metrics, ranking_metrics, spread_of

SHOWN = "ndcg@10"


@dataclass(frozen=True)
class Ranked:
    """One method's lists, best first, -1 for no product: of all products, and of the customer's new ones."""

    overall: Ints  # (Q, 20)
    fresh: Ints  # (Q, 20)


@dataclass(frozen=True)
class RankingTest:
    """The customers who buy in the window that begins at `cutoff`, and what they buy."""

    queries: Queries
    cutoff: float
    truth: Truth
    new: Truth  # what of it the customer had not bought before
    candidates: int
    popularity: Popularity

    def metrics(self, ranked: Ranked) -> dict[str, float | None]:
        found = {
            **ranking_metrics(ranked.overall, self.truth, self.candidates),
            **ranking_metrics(ranked.fresh, self.new, self.candidates, suffix="_new"),
        }
        for name, novelty in self._novelty(ranked).items():
            known = novelty[np.isfinite(novelty)]
            found[name] = float(known.mean()) if len(known) else None
        return found

    def examples(self, named: pl.DataFrame, ranked: Mapping[str, Ranked]) -> pl.DataFrame:
        """Every customer's own metrics under every method: the columns of `handoff.predictions`."""
        columns = {
            (name if method == "model" else f"{method}.{name}"): pl.Series(values).fill_nan(None)
            for method, lists in ranked.items()
            for name, values in self._by_customer(lists).items()
        }
        sizes = {"truth": pl.Series(self.truth.size), "truth_new": pl.Series(self.new.size)}
        return named.with_columns(**sizes, **columns)

    def curves(self, ranked: Mapping[str, Ranked]) -> dict[str, Any]:
        """Everything a model card plots, in JSON values."""
        if not len(self.queries):
            return {}
        model = ranked["model"]
        return {
            "by_length": {name: by_length(lists.overall, self.truth) for name, lists in ranked.items()},
            "by_customer": spread_of(query_metrics(model.overall, self.truth)[SHOWN]),
            "popularity": self.popularity.shares(model.overall, self.truth),
        }

    def _by_customer(self, ranked: Ranked) -> dict[str, Floats]:
        fresh = query_metrics(ranked.fresh, self.new)
        return {
            **query_metrics(ranked.overall, self.truth),
            **{f"{name}_new": values for name, values in fresh.items()},
            **self._novelty(ranked),
        }

    def _novelty(self, ranked: Ranked) -> dict[str, Floats]:
        return {
            "novelty@10": self.popularity.novelty(ranked.overall, self.truth),
            "novelty@10_new": self.popularity.novelty(ranked.fresh, self.new),
        }
