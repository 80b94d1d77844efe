"""Reading the facts that scorings and versions keep: drift, what a test promised, what came true."""

from collections.abc import Mapping
from typing import Any

from crm_agents.models import ModelVersion
from crm_agents.services.gate import number

FEWEST = 50  # customers of whom drift is told at all

Facts = Mapping[str, Any]


def drifted(facts: Facts, part: Facts, limit: float) -> bool:
    """Tell whether one figure of a scoring's drift lies above a limit by more than chance explains."""
    return bool(facts["customers"] >= FEWEST and part["psi"] - part["by_chance"] > limit)


def promised(version: ModelVersion, metric: str) -> float | None:
    """Return a metric of the version's own test; None where the test has none."""
    metrics = version.evaluation.get("metrics", {})
    return number(metrics.get("model", {}).get(metric))


def realised_value(realised: Facts, metric: str) -> float | None:
    """Return a metric of scores whose outcome is known."""
    return number(realised.get("metrics", {}).get(metric))


def realised_count(realised: Facts) -> int:
    """Return of how many customers the outcome counts."""
    return int(realised.get("customers") or 0)
