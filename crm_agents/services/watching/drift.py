"""Drift: how far what a version is asked about today lies from what it was tested on, as facts."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from handoff.profiles import Counted, Drift, Profile, Reference, drifts, sum_profiles


def measure_drift(artifact: Path, profiles: Sequence[Path]) -> dict[str, Any]:
    """Compare the shards' profiles with the artifact's own reference; {} where either is missing.

    Raises HandoffError for profiles that do not go together.
    """
    reference = Reference.read(artifact)
    if reference is None or not profiles:
        return {}
    return drift_facts(reference, sum_profiles(Profile.read(path) for path in profiles))


def drift_facts(reference: Reference, today: Profile) -> dict[str, Any]:
    """Return the stability index of every input, the largest first, and of the scores."""
    features, scores = drifts(reference, today)
    facts: dict[str, Any] = {
        "customers": today.customers,
        "tested_at": reference.at,
        "features": [_facts(feature) for feature in features],
    }
    if scores is not None:
        facts["scores"] = {**_facts(scores), **_shares(reference.scores, today.scores)}
    return facts


def _facts(drift: Drift) -> dict[str, Any]:
    return {"name": drift.name, "psi": round(drift.psi, 5), "by_chance": round(drift.by_chance, 5)}


def _shares(reference: Counted, today: Sequence[int]) -> dict[str, Any]:
    """The distribution of the scores then and now, for a plot: the first share is of those without one."""
    before, now = sum(reference.counts), sum(today)
    return {
        "edges": list(reference.bins.edges),
        "tested": [round(count / before, 5) for count in reference.counts],
        "today": [round(count / now, 5) for count in today],
    }
