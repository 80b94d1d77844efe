"""The gate: is a version better than what simple rules do, on later data it has not seen?"""

import math
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from crm_agents.recipes import Gate

OPERATORS: dict[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


@dataclass(frozen=True)
class Comparison:
    """One condition of the gate and whether it is met, in a sentence with its figures."""

    passed: bool
    reason: str


@dataclass(frozen=True)
class Judgement:
    """The gate's verdict: passed only if every comparison is."""

    comparisons: tuple[Comparison, ...]

    @property
    def passed(self) -> bool:
        return all(comparison.passed for comparison in self.comparisons)

    @property
    def reason(self) -> str:
        return "\n".join(comparison.reason for comparison in self.comparisons)


def judge(gate: Gate, evaluation: Mapping[str, Any]) -> Judgement:
    """Compare `metrics` of an evaluation with the gate's conditions; what is missing fails."""
    metrics = evaluation.get("metrics")
    metrics = metrics if isinstance(metrics, Mapping) else {}
    model = metrics.get("model") or {}
    baselines = metrics.get("baselines") or {}
    beaten = [_beats(gate, name, model, baselines.get(name) or {}) for name in gate.baselines]
    bounded = [_within(name, *bound, model) for name, bound in gate.also.items()]
    return Judgement((*beaten, *bounded))


def _beats(gate: Gate, name: str, model: Mapping[str, Any], baseline: Mapping[str, Any]) -> Comparison:
    own, rival = number(model.get(gate.metric)), number(baseline.get(gate.metric))
    if own is None:
        return Comparison(False, _("%(metric)s of the model is missing.") % {"metric": gate.metric})
    if rival is None:
        return Comparison(
            False, _("%(metric)s of %(baseline)s is missing.") % {"metric": gate.metric, "baseline": name}
        )
    sign = 1 if gate.higher_is_better else -1
    needed = rival + sign * abs(rival) * gate.margin
    passed = sign * own >= sign * needed and sign * own > sign * rival
    figures = {
        "metric": gate.metric,
        "own": f"{own:.4f}",
        "rival": f"{rival:.4f}",
        "needed": f"{needed:.4f}",
        "baseline": name,
        "bound": _("at least") if gate.higher_is_better else _("at most"),
        "margin": f"{gate.margin:.1%}",
    }
    return Comparison(passed, _sentence(passed) % figures)


def _sentence(passed: bool) -> str:
    if passed:
        return _(
            "%(metric)s %(own)s beats %(baseline)s %(rival)s: "
            "needed %(bound)s %(needed)s (margin %(margin)s)."
        )
    return _(
        "%(metric)s %(own)s does not beat %(baseline)s %(rival)s: "
        "needed %(bound)s %(needed)s (margin %(margin)s)."
    )


def _within(name: str, sign: str, bound: float, model: Mapping[str, Any]) -> Comparison:
    own = number(model.get(name))
    if own is None:
        return Comparison(False, _("%(metric)s of the model is missing.") % {"metric": name})
    passed = OPERATORS[sign](own, bound)
    figures = {"metric": name, "own": f"{own:.4f}", "bound": f"{sign} {bound:g}"}
    if passed:
        return Comparison(True, _("%(metric)s %(own)s is %(bound)s.") % figures)
    return Comparison(False, _("%(metric)s %(own)s is not %(bound)s.") % figures)


def number(value: object) -> float | None:
    """Return a finite number, or None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)
