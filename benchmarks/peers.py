"""Well-known libraries on the same rows, windows and metrics as our models; see `pip install .[peers]`."""

import time
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from benchmarks.report import skip
from neural.baselines.ranking import PERSONAL_DECAY, Ranker, Scores
from neural.data.similarity import bm25, own_counts
from neural.data.table import Table
from neural.data.world import Queries, World
from neural.evaluation.classification import classification_metrics
from neural.tasks.base import Metrics
from neural.tasks.churn import STEP, Churn
from neural.tasks.next_product import NextProduct
from neural.windows import parse_time, to_days

SEED = 0


@dataclass(frozen=True)
class Peer:
    name: str
    metrics: Metrics
    cpu_seconds: float


def recommender_peers(world: World, cutoff: str) -> Iterator[Peer]:
    """implicit's ALS, 128 factors, refitted on everything before the cut-off."""
    try:
        from implicit.als import AlternatingLeastSquares
    except ImportError:
        skip(figure="recommender: implicit ALS", why="The extra `peers` is not installed.")
        return
    clock, moment = time.process_time(), to_days(parse_time(cutoff))
    everyone = world.with_history(moment)
    model = AlternatingLeastSquares(
        factors=128, regularization=0.05, alpha=1.0, random_state=SEED, num_threads=1
    )
    bought = bm25(own_counts(world, everyone, PERSONAL_DECAY))  # the best of six settings on 2011-07-15
    model.fit(sparse.csr_matrix(bought), show_progress=False)
    row_of = np.zeros(len(world.history.customers), np.int64)
    row_of[everyone.customer] = np.arange(len(everyone))

    def scores(queries: Queries) -> Scores:
        return np.asarray(model.user_factors[row_of[queries.customer]] @ model.item_factors.T)

    ranker: Ranker = scores
    found = NextProduct(world).measure_ranker(ranker, moment)
    yield Peer("implicit ALS", found, time.process_time() - clock)


def churn_peers(world: World, cutoff: str) -> Iterator[Peer]:
    """LightGBM on the churn agent's own table, with monthly rows up to a horizon before the cut-off.

    Unlike ours, which holds that last window back for calibration, it learns from it too.
    """
    try:
        from lightgbm import LGBMClassifier
    except ImportError:
        skip(figure="churn: LightGBM", why="The extra `peers` is not installed.")
        return
    clock, moment = time.process_time(), to_days(parse_time(cutoff))
    task, table = Churn(world), Table(world)
    horizon = world.config.horizon_days
    months = [task.window(time) for time in np.arange(moment - horizon, world.start + 90, -STEP)]
    model = LGBMClassifier(
        n_estimators=300,
        learning_rate=0.03,
        num_leaves=15,
        min_child_samples=100,
        subsample=0.8,
        subsample_freq=1,
        colsample_bytree=0.7,
        random_state=SEED,
        n_jobs=1,
        verbose=-1,
    )
    model.fit(
        np.concatenate([table.columns(queries) for queries, _ in months]),
        np.concatenate([label for _, label in months]),
    )
    queries, label = task.window(moment)
    chance = model.predict_proba(table.columns(queries))[:, 1]
    yield Peer("LightGBM", classification_metrics(label, chance), time.process_time() - clock)
