"""Figures of a text classifier on one window. N texts, C labels."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

from handoff.measures import SMALLEST
from neural.data.history import Bools, Floats, Ints
from neural.evaluation.classification import (
    calibration_curve,
    classification_curves,
    expected_calibration_error,
)

NAMES = ("accuracy", "precision", "recall", "f1", "log_loss", "negative_log_loss", "ece", "top3")
Z = 1.645  # one-sided 95 %
TARGET = 0.9  # share of the answers given without a person looking that must be right

Metrics = dict[str, float | None]


def label_metrics(label: Ints, probability: Floats) -> Metrics:
    """Accuracy, macro precision, recall and F1, log loss, ECE of the first choice, share in the first 3."""
    if len(label) == 0:
        return dict.fromkeys(NAMES)
    best = probability.argmax(axis=1)
    precision, recall, f1, _ = precision_recall_fscore_support(label, best, average="macro", zero_division=0)
    surprise = text_losses(label, probability).mean()
    first = np.argsort(-probability, axis=1, kind="stable")[:, :3]
    return {
        "accuracy": float(np.mean(best == label)),
        "precision": float(precision),
        "recall": float(recall),
        "f1": float(f1),
        "log_loss": float(surprise),
        "negative_log_loss": float(-surprise),
        "ece": expected_calibration_error(best == label, probability.max(axis=1)),
        "top3": float(np.mean((first == label[:, None]).any(axis=1))),
    }


def text_losses(label: Ints, probability: Floats) -> Floats:
    """Surprise at each text's label, in nats. (N,)"""
    return np.asarray(-np.log(np.clip(probability[np.arange(len(label)), label], SMALLEST, 1.0)))


def label_curves(names: Sequence[str], label: Ints, probability: Floats) -> dict[str, Any]:
    """What a model card plots: calibration and histogram of the first choice, confusion, figures by label."""
    if len(label) == 0:
        return {}
    best = np.asarray(probability.argmax(axis=1), np.int64)
    sure = probability.max(axis=1)
    numbers = np.arange(len(names))
    each = precision_recall_fscore_support(label, best, labels=numbers, zero_division=0)
    return {
        "calibration": calibration_curve(best == label, sure),
        "histogram": classification_curves(best == label, sure)["histogram"],
        "labels": {
            "names": list(names),
            "confusion": confusion_matrix(label, best, labels=numbers).tolist(),  # rows: true
            "each": [
                {"label": name, "precision": float(p), "recall": float(r), "f1": float(f), "count": int(n)}
                for name, p, r, f, n in zip(names, *each, strict=True)
            ],
        },
    }


def choose_threshold(scope: Floats, right: Bools, target: float = TARGET) -> dict[str, Any]:
    """The lowest scope from which on answers are right often enough, sure at 95 % (Wilson's lower bound).

    `threshold` is None where no threshold can promise that on so many texts: then answers are suggestions.
    """
    nothing = {"threshold": None, "precision": None, "low": None, "coverage": 0.0, "target": target}
    if len(scope) == 0:
        return nothing
    order = np.argsort(-scope, kind="stable")
    count = np.arange(1, len(scope) + 1)
    share = np.cumsum(right[order]) / count
    low = wilson_low(share, count)
    last = np.append(np.diff(scope[order]) != 0, True)  # of those with equal scope all or none
    good = np.flatnonzero((low >= target) & last)
    if len(good) == 0:
        return nothing
    place = int(good[-1])
    return {
        "threshold": float(scope[order[place]]),
        "precision": float(share[place]),
        "low": float(low[place]),
        "coverage": float(count[place] / len(scope)),
        "target": target,
    }


def wilson_low(share: Floats, count: Ints) -> Floats:
    """Lower end of Wilson's interval of a share of `count`."""
    middle = share + Z**2 / (2 * count)
    spread = Z * np.sqrt(share * (1 - share) / count + Z**2 / (4 * count**2))
    return np.asarray((middle - spread) / (1 + Z**2 / count))


def at_threshold(scope: Floats, right: Bools, threshold: float | None) -> dict[str, float | None]:
    """How many texts are answered from `threshold` on, and how many of the answers are right."""
    if threshold is None or len(scope) == 0:
        return {"coverage": 0.0 if len(scope) else None, "answered_precision": None}
    answered = scope >= threshold
    precision = float(right[answered].mean()) if answered.any() else None
    return {"coverage": float(answered.mean()), "answered_precision": precision}
