"""Calibration: two numbers that turn a model's logit into a probability, and a shift by season.

The share of customers who buy moves with the season far more than their ranking does. A validation window
shows the latest level; how that level differs from the one to be predicted is known from the year before.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy.optimize import minimize

from neural.data.history import Bools, Floats

Calibration = dict[str, Any]  # slope, offset; with a season also validation_offset and season

YEAR = 365.0
NEAR = 20.0  # days: how far a known season may lie from the day asked about
TRUST = 0.5  # share of last year's seasonal shift that is believed: one year is little evidence


def sigmoid(x: Floats) -> Floats:
    return np.asarray(1 / (1 + np.exp(-np.clip(x, -50, 50))))


def logit(p: Floats) -> Floats:
    p = np.clip(p, 1e-6, 1 - 1e-6)
    return np.asarray(np.log(p / (1 - p)))


def fit_platt(logits: Floats, label: Bools, slope: float | None = None) -> Calibration:
    """Fit P = sigmoid(slope * logit + offset) with Platt's smoothed targets; identity without data.

    The slope is kept positive, so that calibration never turns a ranking round; a given one is kept.
    """
    if len(label) == 0:
        return {"slope": slope or 1.0, "offset": 0.0}
    positive = float(label.sum())
    high, low = (positive + 1) / (positive + 2), 1 / (len(label) - positive + 2)
    target = np.where(label, high, low)

    def slope_of(parameters: Floats) -> float:
        return slope if slope is not None else float(np.exp(np.clip(parameters[1], -5, 5)))

    def loss(parameters: Floats) -> float:
        z = slope_of(parameters) * logits + parameters[0]
        return float(np.mean(np.logaddexp(0, z) - target * z) + 1e-6 * np.square(parameters).sum())

    found = minimize(loss, np.zeros(1 if slope is not None else 2), method="BFGS").x
    return {"slope": slope_of(found), "offset": float(found[0])}


def apply_platt(logits: Floats, calibration: Mapping[str, Any], time: float | None = None) -> Floats:
    """Probabilities at `time` (days since 1970); the season counts where one was learnt."""
    offset = calibration["offset"] + (0.0 if time is None else seasonal_shift(calibration, time))
    return sigmoid(calibration["slope"] * logits + offset)


def seasonal_shift(calibration: Mapping[str, Any], time: float) -> float:
    """Half of the difference between the season of `time` and that of the validation window a year ago."""
    now, then = _season(calibration, time), _season(calibration, calibration.get("validation", time))
    return 0.0 if now is None or then is None else TRUST * (now - then)


def _season(calibration: Mapping[str, Any], time: float) -> float | None:
    """Offset of the known cut-off whose day of the year is nearest, or None where none is near."""
    days = [
        (abs((time - known + YEAR / 2) % YEAR - YEAR / 2), offset)
        for known, offset in calibration.get("season", [])
    ]
    distance, offset = min(days, default=(np.inf, 0.0))
    return offset if distance <= NEAR else None
