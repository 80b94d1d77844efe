"""Linear answers on fixed features, and how several of them are pooled.

Each part (vectors of the pretrained model, words) gives scores by itself. They are pooled as
softmax(w1 * scores1 + w2 * scores2), with weights that make the labels most likely on texts that the parts
were not fitted on. The weights calibrate as well: that of a single part is its temperature (Guo et al. 2017).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold
from sklearn.svm import LinearSVC

from neural.data.history import Floats, Ints
from neural.text.storing import Arrays

STRENGTH = 30.0  # inverse regularisation of the logistic regression on vectors of length 1
ROUNDS = 300
FOLDS = 3
BARELY = 1e-3  # ridge on the logarithms of the pooling weights, for parts that say the same

Features = Any  # (N, F) array or sparse matrix


@dataclass(frozen=True)
class Linear:
    """Scores of C labels: (N, F) -> (N, C)."""

    weight: npt.NDArray[np.float32]  # (C, F)
    bias: npt.NDArray[np.float32]  # (C,)

    def scores(self, features: Features) -> Floats:
        product = features @ self.weight.T
        return np.asarray(product, np.float64) + self.bias

    def arrays(self) -> Arrays:
        return {"weight": self.weight, "bias": self.bias}

    @classmethod
    def read(cls, arrays: Arrays) -> "Linear":
        return cls(arrays["weight"], arrays["bias"])


def fit_logistic(features: Features, label: Ints, balanced: bool) -> Linear:
    """For dense vectors."""
    model = LogisticRegression(
        C=STRENGTH, max_iter=ROUNDS, class_weight="balanced" if balanced else None, random_state=0
    )
    return _linear(model.fit(features, label))


def fit_margin(features: Features, label: Ints, balanced: bool) -> Linear:
    """For sparse words: a linear support vector machine, one label against the rest."""
    model = LinearSVC(C=1.0, class_weight="balanced" if balanced else None, random_state=0)
    return _linear(model.fit(features, label))


def held_out_scores(fit: Callable[[Ints], Callable[[Ints], Floats]], label: Ints, labels: int) -> Floats:
    """Scores of each text by a fit that did not see it. `fit(rows)` returns what scores other rows. (N, C)"""
    folds = min(FOLDS, int(np.bincount(label, minlength=labels).min()))
    found = np.zeros((len(label), labels))
    for inside, outside in StratifiedKFold(folds, shuffle=True, random_state=0).split(label, label):
        found[outside] = fit(inside)(outside)
    return found


def log_softmax(scores: Floats) -> Floats:
    """(N, C) -> (N, C)"""
    shifted = scores - scores.max(axis=1, keepdims=True)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True)))


def pool(parts: Sequence[Floats], weights: Floats) -> Floats:
    """Probabilities. (N, C) each -> (N, C)"""
    return np.exp(log_softmax(sum(w * part for w, part in zip(weights, parts, strict=True))))


def fit_weights(parts: Sequence[Floats], label: Ints) -> Floats:
    """Positive pooling weights that make the labels most likely; all 1 without a text. (parts,)"""
    if len(label) == 0:
        return np.ones(len(parts))
    rows = np.arange(len(label))
    # Scores of very different size begin at a comparable one.
    begin = [-np.log(max(float(part.std()), 1e-6)) for part in parts]

    def loss(parameters: Floats) -> float:
        found = log_softmax(sum(np.exp(p) * part for p, part in zip(parameters, parts, strict=True)))
        return float(-found[rows, label].mean() + BARELY * np.square(parameters - begin).sum())

    bounds = [(value - 6, value + 6) for value in begin]
    return np.asarray(np.exp(minimize(loss, begin, method="L-BFGS-B", bounds=bounds).x))


def _linear(model: Any) -> Linear:
    """Two labels have one row of weights in scikit-learn; here every label has its own."""
    weight, bias = np.asarray(model.coef_), np.asarray(model.intercept_)
    if len(weight) == 1:
        weight, bias = np.concatenate([-weight, weight]) / 2, np.concatenate([-bias, bias]) / 2
    return Linear(weight.astype(np.float32), bias.astype(np.float32))
