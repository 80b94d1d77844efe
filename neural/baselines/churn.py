"""Simple churn warnings: the rule "no purchase for N days", and the base rate."""

from dataclasses import dataclass

import numpy as np

from neural.data.history import Bools, Floats


@dataclass(frozen=True)
class RecencyRule:
    """Warn of whoever bought nothing for `days` days.

    `early` and `late` are the shares that churned on either side in the window where it was fitted.
    """

    days: int
    early: float
    late: float

    @classmethod
    def fit(cls, days_since: Floats, label: Bools) -> "RecencyRule":
        """Choose the N with the best accuracy; the smallest of equals."""
        if len(label) == 0:
            return cls(0, 0.5, 0.5)
        candidates = np.unique(np.floor(days_since))
        accuracy = [np.mean((days_since >= days) == label) for days in candidates]
        days = int(candidates[int(np.argmax(accuracy))])
        silent = days_since >= days
        overall = float(label.mean())
        late = float(label[silent].mean()) if silent.any() else overall
        early = float(label[~silent].mean()) if (~silent).any() else overall
        return cls(days, early, late)

    def probability(self, days_since: Floats) -> Floats:
        return np.where(days_since >= self.days, self.late, self.early)

    def warns(self, days_since: Floats) -> Bools:
        return np.asarray(days_since >= self.days)
