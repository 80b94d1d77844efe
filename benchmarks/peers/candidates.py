"""What a re-ranker may choose from: the union of what several simple peers put first."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from benchmarks.peers import rankers
from benchmarks.peers.log import Array, Ints, Log
from benchmarks.peers.rankers import Scorer

SCORERS = ("item_knn", "ease", "tifu_knn", "up_cf", "als")
OWN_MOST = 200  # of the customer's own products, by decayed count
FROM_EACH = {"item_knn": 60, "ease": 60, "tifu_knn": 40, "up_cf": 40, "als": 30}
POPULAR, LATELY, SEASON = 60, 30, 60  # of the last 28 days, the last 7, and the same 28 days a year ago


@dataclass(frozen=True)
class Pool:
    """Fitted at one moment; gives candidates and the scores that the peers gave them."""

    log: Log
    moment: float
    scorers: dict[str, Scorer]
    shared: Ints  # offered to everyone

    @classmethod
    def fit(cls, log: Log, moment: float) -> "Pool":
        scorers = {name: getattr(rankers, name)(log, moment) for name in SCORERS}
        sales = (
            (log.sold(moment - 28, moment), POPULAR),
            (log.sold(moment - 7, moment), LATELY),
            (rankers.last_season(log, moment), SEASON),
        )
        best = [np.argsort(-sold, kind="stable")[:count] for sold, count in sales]
        shared = np.unique(np.concatenate(best))
        return cls(log, moment, scorers, shared[log.first_sale[shared] < moment])

    def candidates(self, customers: Ints, own: Array) -> tuple[npt.NDArray[np.bool_], dict[str, Array]]:
        """Which products are in the race, (Q, P), and each peer's scores. `own` (Q, P) are decayed counts."""
        chosen = np.zeros((len(customers), self.log.products), bool)
        chosen[:, self.shared] = True
        scores = {name: scorer(customers) for name, scorer in self.scorers.items()}
        for name, count in FROM_EACH.items():
            _mark(chosen, np.where(own > 0, -np.inf, scores[name]), count)
            _mark(chosen, scores[name], count // 2)
        _mark(chosen, np.where(own > 0, own, -np.inf), OWN_MOST)
        chosen[:, self.log.first_sale >= self.moment] = False
        return chosen, scores


def _mark(chosen: npt.NDArray[np.bool_], scores: Array, count: int) -> None:
    """Choose the best of each row that have a score above 0."""
    count = min(count, scores.shape[1])
    best = np.argpartition(-scores, count - 1, axis=1)[:, :count]
    value = np.take_along_axis(scores, best, axis=1)
    row = np.broadcast_to(np.arange(len(scores))[:, None], best.shape)
    chosen[row[value > 0], best[value > 0]] = True
