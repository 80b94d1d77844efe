"""Classification metrics and curves of one window, from true labels and probabilities."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import polars as pl
from sklearn import metrics

from handoff.measures import SMALLEST, Binary
from handoff.predictions import THRESHOLD
from neural.data.history import Bools, Floats

POINTS = 100  # of a curve
BINS = 10  # of calibration and histogram
DIGITS = 6  # of a curve's coordinates

Metrics = dict[str, float | None]


@dataclass(frozen=True)
class Predicted:
    """What one method says of Q customers; a rule may rank and warn by other things than its probability."""

    probability: Floats  # (Q,)
    rank: Floats | None = None  # (Q,) higher is likelier
    warned: Bools | None = None  # (Q,)
    facts: Mapping[str, float] = field(default_factory=dict)  # of the method itself, shown with its metrics

    def metrics(self, label: Bools) -> Metrics:
        found = classification_metrics(label, self.probability)
        if self.rank is not None:
            span = max(float(self.rank.max(initial=0.0)), 1.0)
            ranked = classification_metrics(label, self.rank / span)
            found.update({name: ranked[name] for name in ("roc_auc", "pr_auc", "lift@10")})
        if self.warned is not None:
            warned = classification_metrics(label, self.warned.astype(np.float64))
            found.update({name: warned[name] for name in ("accuracy", "precision", "recall", "f1")})
        return {**found, **self.facts}

    def columns(self, method: str) -> list[tuple[str, pl.Series]]:
        """The method's columns of `predictions.parquet`, with their names."""
        parts = {"probability": self.probability, "rank": self.rank, "warned": self.warned}
        prefix = "" if method == "model" else f"{method}."
        return [(f"{prefix}{part}", pl.Series(each)) for part, each in parts.items() if each is not None]


def classification_metrics(label: Bools, probability: Floats, threshold: float = THRESHOLD) -> Metrics:
    """ROC and PR AUC, Brier, log loss, ECE, accuracy, precision, recall, F1, lift of the top tenth.

    A metric the window cannot define (all labels equal, nothing predicted) is None.
    """
    if len(label) == 0:
        return dict.fromkeys(Binary.ALL)
    both = 0 < label.sum() < len(label)
    predicted = probability >= threshold
    hit = float((predicted & label).sum())
    precision = hit / float(predicted.sum()) if predicted.any() else None
    recall = hit / float(label.sum()) if label.any() else None
    defined = precision is not None and recall is not None and precision + recall > 0
    return {
        "roc_auc": float(metrics.roc_auc_score(label, probability)) if both else None,
        "pr_auc": float(metrics.average_precision_score(label, probability)) if label.any() else None,
        "brier": float(np.mean((probability - label) ** 2)),
        "log_loss": log_loss(label, probability),
        "ece": expected_calibration_error(label, probability),
        "accuracy": float(np.mean(predicted == label)),
        "precision": precision,
        "recall": recall,
        "f1": 2 * precision * recall / (precision + recall) if defined else None,  # type: ignore[operator]
        "lift@10": lift(label, probability),
    }


def log_loss(label: Bools, probability: Floats) -> float:
    """Mean surprise, in nats; a certainty that was wrong counts as one of a millionth."""
    clipped = np.clip(probability, SMALLEST, 1 - SMALLEST)
    return float(-np.mean(np.log(np.where(label, clipped, 1 - clipped))))


def expected_calibration_error(label: Bools, probability: Floats) -> float:
    """Mean distance of predicted and observed share over ten equal-width bins, weighted by count."""
    return float(
        sum(
            abs(entry["predicted"] - entry["observed"]) * entry["count"]
            for entry in calibration_curve(label, probability)
        )
        / len(label)
    )


def lift(label: Bools, probability: Floats) -> float | None:
    """Share of positives in the top tenth by probability, over the share in all.

    Of those who tie at its edge, as many are expected in it as a draw among them would give.
    """
    if not label.any():
        return None
    size = max(1, round(len(label) / 10))
    edge = -np.partition(-probability, size - 1)[size - 1]
    above, tied = probability > edge, probability == edge
    hits = label[above].sum() + label[tied].mean() * (size - above.sum())
    return float(hits / size / label.mean())


def calibration_curve(label: Bools, probability: Floats) -> list[dict[str, float]]:
    """Predicted and observed share of each non-empty tenth of the probability axis."""
    place = np.minimum((probability * BINS).astype(int), BINS - 1)
    return [
        {
            "predicted": float(probability[place == index].mean()),
            "observed": float(label[place == index].mean()),
            "count": int((place == index).sum()),
        }
        for index in range(BINS)
        if (place == index).any()
    ]


def classification_curves(label: Bools, probability: Floats, threshold: float = THRESHOLD) -> dict[str, Any]:
    """Everything a model card plots, in JSON values."""
    curves: dict[str, Any] = {
        "calibration": calibration_curve(label, probability),
        "histogram": _histogram(label, probability),
        "confusion": _confusion(label, probability >= threshold, threshold),
        "roc": [],
        "pr": [],
    }
    if 0 < label.sum() < len(label):
        false_rate, true_rate, _ = metrics.roc_curve(label, probability)
        curves["roc"] = _thin(false_rate, true_rate)
        precision, recall, _ = metrics.precision_recall_curve(label, probability)
        curves["pr"] = _thin(recall[::-1], precision[::-1])
    return curves


def _histogram(label: Bools, probability: Floats) -> list[dict[str, float]]:
    edges = np.linspace(0, 1, BINS + 1)
    positives, _ = np.histogram(probability[label], edges)
    negatives, _ = np.histogram(probability[~label], edges)
    return [
        {"from": float(edges[i]), "to": float(edges[i + 1]), "positives": int(p), "negatives": int(n)}
        for i, (p, n) in enumerate(zip(positives, negatives, strict=True))
    ]


def _confusion(label: Bools, predicted: Bools, threshold: float) -> dict[str, float]:
    return {
        "tp": int((predicted & label).sum()),
        "fp": int((predicted & ~label).sum()),
        "fn": int((~predicted & label).sum()),
        "tn": int((~predicted & ~label).sum()),
        "threshold": threshold,
    }


def _thin(x: Floats, y: Floats) -> list[list[float]]:
    """At most POINTS points of a curve, its ends among them."""
    index = np.unique(np.linspace(0, len(x) - 1, min(len(x), POINTS)).round().astype(int))
    return [[round(float(x[i]), DIGITS), round(float(y[i]), DIGITS)] for i in index]
