"""The gate: is a version better than what simple rules do, on later data it has not seen?"""

import math
import operator
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from crm_agents.recipes import Gate

OPERATORS: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


@dataclass(frozen=True)
class Comparison:
    """One condition of the gate, in figures; `crm_agents.verdicts` puts them into words.

    `model` must stand to `required` as `sign` says. A figure that the evaluation lacks is None.
    """

    metric: str
    model: float | None
    sign: str
    required: float | None
    passed: bool
    baseline: str | None = None  # None: a bound on the model's own metric
    baseline_value: float | None = None
    # Of a condition that the lead be sure: the end of the difference's interval that lies nearer to none.
    # `model` and `baseline_value` are then the metrics, `required` is 0.
    bound: float | None = None
    sure: bool = False


@dataclass(frozen=True)
class Judgement:
    """The gate's verdict: passed only if every comparison is."""

    comparisons: tuple[Comparison, ...]

    @property
    def passed(self) -> bool:
        return all(comparison.passed for comparison in self.comparisons)

    @property
    def reasons(self) -> list[dict[str, Any]]:
        """The comparisons as JSON values, the way a version keeps them."""
        return [_as_json(comparison) for comparison in self.comparisons]


def judge(gate: Gate, evaluation: Mapping[str, Any]) -> Judgement:
    """Compare `metrics` of an evaluation with the gate's conditions; what is missing fails.

    One condition alone may go unanswered: a metric that the window cannot define, which the evaluation says
    by null for the model and for the baseline of the bound, holds nobody up.
    """
    metrics = evaluation.get("metrics")
    metrics = metrics if isinstance(metrics, Mapping) else {}
    model = metrics.get("model") or {}
    baselines = metrics.get("baselines") or {}
    beaten = [_beats(gate, name, model, baselines.get(name) or {}) for name in gate.baselines]
    sure = [_surely(gate, name, model, baselines, evaluation) for name in gate.baselines if gate.sure]
    bounded = [_within(name, *bound, model, baselines) for name, bound in gate.also.items()]
    return Judgement((*beaten, *sure, *bounded))


def _beats(gate: Gate, name: str, model: Mapping[str, Any], baseline: Mapping[str, Any]) -> Comparison:
    own, rival = number(model.get(gate.metric)), number(baseline.get(gate.metric))
    way = 1 if gate.higher_is_better else -1
    required = None if rival is None else rival + way * abs(rival) * max(gate.margin, 0.0)
    sign = ">" if gate.higher_is_better else "<"
    if required != rival:  # the margin is what makes it better, so that it may just be reached
        sign += "="
    passed = own is not None and required is not None and OPERATORS[sign](own, required)
    return Comparison(gate.metric, own, sign, required, passed, name, rival)


def _surely(
    gate: Gate,
    name: str,
    model: Mapping[str, Any],
    baselines: Mapping[str, Any],
    evaluation: Mapping[str, Any],
) -> Comparison:
    """Ask that the whole interval of the difference lie on the better side of none."""
    found = ((evaluation.get("intervals") or {}).get("differences") or {}).get(name) or {}
    _ahead, low, high = found.get(gate.metric) or (None, None, None)
    bound = number(low if gate.higher_is_better else high)
    sign = ">" if gate.higher_is_better else "<"
    own, rival = number(model.get(gate.metric)), number((baselines.get(name) or {}).get(gate.metric))
    passed = bound is not None and OPERATORS[sign](bound, 0.0)
    return Comparison(gate.metric, own, sign, 0.0, passed, name, rival, bound, sure=True)


def _within(
    name: str, sign: str, bound: float | str, model: Mapping[str, Any], baselines: Mapping[str, Any]
) -> Comparison:
    own = number(model.get(name))
    if isinstance(bound, str):
        required, baseline = number((baselines.get(bound) or {}).get(name)), bound
        if _undefined(name, model, baselines.get(bound)):
            return Comparison(name, None, sign, None, True, bound)
    else:
        required, baseline = float(bound), None
    passed = own is not None and required is not None and OPERATORS[sign](own, required)
    return Comparison(name, own, sign, required, passed, baseline, required if baseline else None)


def _undefined(metric: str, *metrics: object) -> bool:
    return all(isinstance(each, Mapping) and each.get(metric, 0) is None for each in metrics)


def _as_json(comparison: Comparison) -> dict[str, Any]:
    facts = asdict(comparison)
    if not comparison.sure:
        del facts["bound"], facts["sure"]
    return facts


def number(value: object) -> float | None:
    """Return a finite number, or None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)
