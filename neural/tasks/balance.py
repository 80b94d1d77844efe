"""Weights that let a rare outcome count as much as a common one."""

import numpy as np

from neural.data.history import Ints


def balanced(outcome: Ints) -> list[float]:
    """Weights of the outcomes 0 and 1, so that both weigh the same and an example 1 on average.

    -1 counts for neither; an outcome that never occurs leaves both at 1.

    >>> balanced(np.array([0, 0, 0, 1, -1]))
    [0.6666666666666666, 2.0]
    """
    counts = np.bincount(outcome[outcome >= 0], minlength=2)
    if not counts.all():
        return [1.0, 1.0]
    weights: list[float] = (counts.sum() / (2 * counts)).tolist()
    return weights
