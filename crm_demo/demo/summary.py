"""What `make demo EXIT=1` prints last: one JSON object on one line."""

import platform
from typing import Any

from crm_agents.models import Agent, Purpose, ScoringRun, TrainingRun
from crm_agents.recipes import get_recipe
from crm_agents.verdicts import comparison_entries
from crm_data.models import Customer, ImportBatch, Interaction, MarketIndicator, Product, Snapshot
from crm_demo.demo.options import DemoOptions
from crm_demo.demo.watching import View


def summary(
    options: DemoOptions,
    *,
    seconds: dict[str, float],
    memory_mb: dict[str, float],
    views: list[tuple[Agent, View]],
) -> dict[str, Any]:
    """Return times, counts, gate tables and peak memory of a demo."""
    return {
        "url": options.url,
        "python": platform.python_version(),
        "data": options.fingerprint(),
        "counts": {
            "customers": Customer.objects.count(),
            "products": Product.objects.count(),
            "interactions": Interaction.objects.count(),
            "market_indicators": MarketIndicator.objects.count(),
        },
        "import": _import_report(),
        "snapshot": _snapshot(),
        "seconds": {name: round(value, 1) for name, value in seconds.items()},
        "peak_memory_mb": {name: round(value) for name, value in memory_mb.items()},
        "agents": {agent.name: agent_summary(agent, seen) for agent, seen in views},
    }


def agent_summary(agent: Agent, seen: View) -> dict[str, Any]:
    """Return how an agent's newest run ended: its state, gate table and published scores."""
    agent.refresh_from_db()
    run = agent.runs.filter(purpose=Purpose.TRAIN).first()
    version = getattr(run, "version", None)
    evaluation = version.evaluation if version is not None else {}
    return {
        "status": run.status if run is not None else None,
        "words": seen.words,
        "published": agent.live_scoring_id is not None,
        "version": version.number if version is not None else None,
        "verdict": version.verdict if version is not None else None,
        "verdict_reasons": comparison_entries(version.verdict_reasons) if version is not None else [],
        "gate": _gate(agent, evaluation),
        "counts": evaluation.get("counts", {}),
        "windows": evaluation.get("windows", {}),
        "metrics": evaluation.get("metrics", {}),
        "training_seconds": _lasted(run),
        "scoring_seconds": _lasted(agent.live_scoring),
        "customers_scored": agent.live_scoring.rows if agent.live_scoring is not None else 0,
    }


def _gate(agent: Agent, evaluation: dict[str, Any]) -> dict[str, Any]:
    """Return the gate's own metric for the model and the baselines that it has to beat."""
    gate = get_recipe(agent.name).gate
    metrics = evaluation.get("metrics", {})
    baselines = metrics.get("baselines", {})
    return {
        "metric": gate.metric,
        "margin": gate.margin,
        "model": metrics.get("model", {}).get(gate.metric),
        "baselines": {name: baselines.get(name, {}).get(gate.metric) for name in gate.baselines},
    }


def _lasted(work: TrainingRun | ScoringRun | None) -> float | None:
    if work is None or work.finished_at is None:
        return None
    return round((work.finished_at - (work.started_at or work.created_at)).total_seconds(), 1)


def _import_report() -> dict[str, Any] | None:
    batch = ImportBatch.objects.first()
    return batch.report if batch is not None else None


def _snapshot() -> dict[str, Any] | None:
    snapshot = Snapshot.objects.first()
    if snapshot is None:
        return None
    return {
        "events": snapshot.events,
        "customers": snapshot.customers,
        "shards": snapshot.shards,
        "sha256": snapshot.sha256,
    }
