"""LightGBM for churn."""

import time
from collections.abc import Iterator

import numpy as np

from benchmarks.peers import SEED, Peer
from benchmarks.report import skip
from neural.data.table import Table
from neural.data.world import World
from neural.evaluation.classification import classification_metrics
from neural.tasks.churn import STEP, Churn
from neural.windows import parse_time, to_days


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
