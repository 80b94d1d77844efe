"""Calibration: two numbers that turn a model's logit into a probability, and what shifts it.

By season (churn): the share of customers who buy moves with the season far more than their ranking does. A
validation window shows the latest level; how that level differs from the one to be predicted is known from
the year before.

By customer (recommendations): a share of what a customer buys says nothing about whether, and how much, the
customer buys at all.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy.optimize import minimize

from neural.data.history import Bools, Floats

Calibration = dict[str, Any]  # slope, offset; by season also validation and season; by customer also facts

YEAR = 365.0
NEAR = 20.0  # days: how far a known season may lie from the day asked about
RIDGE = 1e-5  # L2 on the parameters
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


def fit_with_facts(logits: Floats, facts: Floats, label: Bools) -> Calibration:
    """Fit P = sigmoid(slope * logit + offset + weight · fact) over standardised facts of the customers.

    logits and label (R,), facts (R, F). The slope is kept positive and the facts are the customer's alone, so
    that no customer's ranking changes; identity without data.
    """
    if len(label) == 0:
        return {"slope": 1.0, "offset": 0.0}
    mean, spread = facts.mean(axis=0), facts.std(axis=0)
    spread = np.where(spread > 1e-9, spread, 1.0)
    columns = np.column_stack([logits, np.ones(len(logits)), (facts - mean) / spread])  # (R, 2 + F)

    def loss(parameters: Floats) -> tuple[float, Floats]:
        weight = parameters.copy()
        weight[0] = np.exp(np.clip(parameters[0], -5, 5))
        z = columns @ weight
        gradient = columns.T @ (sigmoid(z) - label) / len(label)
        gradient[0] *= weight[0]
        value = np.mean(np.logaddexp(0, z) - label * z) + RIDGE * np.square(parameters).sum()
        return float(value), gradient + 2 * RIDGE * parameters

    found = minimize(loss, np.zeros(columns.shape[1]), jac=True, method="L-BFGS-B").x
    weights = {"mean": mean.tolist(), "spread": spread.tolist(), "weight": found[2:].tolist()}
    return {"slope": float(np.exp(np.clip(found[0], -5, 5))), "offset": float(found[1]), "facts": weights}


def facts_shift(calibration: Mapping[str, Any], facts: Floats) -> Floats:
    """Shift of each customer's logits by the customer's facts. (Q, F) -> (Q,)"""
    if "facts" not in calibration:
        return np.zeros(len(facts))
    mean, spread, weight = (np.asarray(calibration["facts"][name]) for name in ("mean", "spread", "weight"))
    return np.asarray((facts - mean) / spread @ weight)


def apply_platt(
    logits: Floats, calibration: Mapping[str, Any], time: float | None = None, shift: Floats | float = 0.0
) -> Floats:
    """Probabilities at `time` (days since 1970); the season counts where one was learnt.

    `shift` is added to the logits after scaling, see `facts_shift`.
    """
    offset = calibration["offset"] + (0.0 if time is None else seasonal_shift(calibration, time))
    return sigmoid(calibration["slope"] * logits + (offset + shift))


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
