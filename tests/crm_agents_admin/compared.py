"""Versions with predictions, as comparisons and model cards meet them."""

from datetime import datetime
from typing import Any

import numpy as np
import polars as pl

from crm_agents.folders import predictions_file
from crm_agents.models import ModelVersion
from neural.evaluation.intervals import intervals
from neural.evaluation.slices import weakest_first
from tests.crm_agents_admin.support import EVALUATION

TEST = datetime.fromisoformat(EVALUATION["windows"]["test"][0])


def churn_examples(customers: int = 400, *, told: float = 0.5, seed: int = 1, first: int = 0) -> pl.DataFrame:
    """Customers whose probability tells so much (0: nothing, 1: all) of who leaves."""
    rng = np.random.default_rng(7)
    label = rng.random(first + customers)[first:] < 0.4
    noise = np.random.default_rng(seed).random(customers)
    country = np.where(np.arange(customers) % 4 == 0, "France", "Spain")
    probability = np.where(country == "France", noise, told * label + (1 - told) * noise)
    return pl.DataFrame(
        {
            "customer": [f"c{first + number:05d}" for number in range(customers)],
            "at": pl.Series([TEST] * customers, dtype=pl.Datetime("us", "UTC")),
            "label": label,
            "probability": probability,
            "recency_rule.probability": np.where(noise > 0.5, 0.5, 0.3),
            "recency_rule.rank": noise * 100,
            "recency_rule.warned": noise > 0.5,
            "base_rate.probability": np.full(customers, 0.4),
            "slice.country": country,
            "slice.tenure_days": np.arange(customers, dtype=np.float64),
        }
    )


def keep_examples(version: ModelVersion, examples: pl.DataFrame) -> ModelVersion:
    """Store predictions of a version as its run would have left them."""
    place = predictions_file(version)
    place.parent.mkdir(parents=True, exist_ok=True)
    examples.write_parquet(place)
    return version


def told_evaluation(examples: pl.DataFrame) -> dict[str, Any]:
    """The usual evaluation with the intervals and slices of these examples."""
    return {
        **EVALUATION,
        "intervals": intervals(examples, resamples=200),
        "slices": weakest_first(examples, "roc_auc"),
    }
