"""Platt scaling: two numbers that turn a model's logit into a probability."""

from collections.abc import Mapping

import numpy as np
from scipy.optimize import minimize

from neural.data.history import Bools, Floats


def sigmoid(x: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-np.clip(x, -50, 50))))


def logit(p: Floats) -> Floats:
    p = np.clip(p, 1e-6, 1 - 1e-6)
    return np.asarray(np.log(p / (1 - p)))


def fit_platt(logits: Floats, label: Bools) -> dict[str, float]:
    """Fit P = sigmoid(slope * logit + offset) with Platt's smoothed targets; identity without data.

    The slope is kept positive, so that calibration never turns a ranking round.
    """
    if len(label) == 0:
        return {"slope": 1.0, "offset": 0.0}
    positive = float(label.sum())
    high, low = (positive + 1) / (positive + 2), 1 / (len(label) - positive + 2)
    target = np.where(label, high, low)

    def loss(parameters: Floats) -> float:
        z = np.exp(parameters[0]) * logits + parameters[1]
        return float(np.mean(np.logaddexp(0, z) - target * z) + 1e-6 * parameters[0] ** 2)

    found = minimize(loss, np.zeros(2), method="BFGS").x
    return {"slope": float(np.exp(np.clip(found[0], -5, 5))), "offset": float(found[1])}


def apply_platt(logits: Floats, calibration: Mapping[str, float]) -> Floats:
    return sigmoid(calibration["slope"] * logits + calibration["offset"])
