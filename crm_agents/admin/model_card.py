"""A version's model card: what it learnt from, how it did, against what."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.utils.dateparse import parse_datetime
from django.utils.formats import date_format
from django.utils.safestring import SafeString
from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from crm_agents import plots
from crm_agents.admin.wording import figure
from crm_agents.models import ModelVersion
from crm_agents.names import NOT_A_SCORE, baseline_label, in_order, lower_is_better, metric_label
from crm_agents.verdicts import comparison_entries
from handoff.errors import HandoffError
from handoff.files import read_json

WINDOWS = {
    "train": gettext_lazy("Training"),
    "validation": gettext_lazy("Validation"),
    "test": gettext_lazy("Test"),
}
PLOTTED = 4  # metrics that get a bar chart


@dataclass(frozen=True)
class Cell:
    text: str
    best: bool


@dataclass(frozen=True)
class MetricsTable:
    """One window's metrics: a row a metric, the model first, then every baseline."""

    title: str
    heads: list[str]
    rows: list[tuple[str, list[Cell]]]


def model_card(version: ModelVersion, folder: Path) -> dict[str, Any]:
    """Return the card as JSON values; `folder` is the artifact's."""
    snapshot = version.snapshot
    return {
        "agent": version.agent.name,
        "tenant": version.agent.tenant,
        "version": version.number,
        "created_at": version.created_at.isoformat(),
        "live": version.agent.live_version_id == version.pk,
        "gate": {"verdict": version.verdict, "comparisons": comparison_entries(version.verdict_reasons)},
        "data": {
            "sha256": snapshot.sha256,
            "watermark": snapshot.watermark.isoformat(),
            "events": snapshot.events,
            "customers": snapshot.customers,
            "products": snapshot.products,
        },
        "artifact": {"folder": version.artifact, "sha256": version.artifact_sha256},
        "config": configuration(version, folder),
        "evaluation": version.evaluation,
    }


def configuration(version: ModelVersion, folder: Path) -> dict[str, Any]:
    """Return the whole configuration from the artifact, or what was asked for where that is gone."""
    try:
        config = read_json(folder / "config.json")
    except (HandoffError, OSError):
        return dict(version.run.config)
    # Where a folder lay on the machine that trained is nobody else's business.
    config.pop("dataset", None)
    return config


def metrics_tables(evaluation: Mapping[str, Any]) -> list[MetricsTable]:
    """Return the tables of the test window and of validation, those that there are."""
    found = (
        (_("Test window, which the model had not seen"), evaluation.get("metrics", {})),
        (_("Validation window, used to stop and to choose"), evaluation.get("validation", {})),
    )
    return [_table(title, metrics) for title, metrics in found if metrics.get("model")]


def windows(evaluation: Mapping[str, Any]) -> list[tuple[str, str, str, str]]:
    """Return (window, from, to, examples), dates in the reader's format."""
    counts = evaluation.get("counts", {})
    return [
        (str(WINDOWS.get(name, name)), _day(start), _day(end), figure(counts.get(name)))
        for name, (start, end) in sorted(
            evaluation.get("windows", {}).items(), key=lambda item: [*WINDOWS, item[0]].index(item[0])
        )
    ]


def version_plots(evaluation: Mapping[str, Any], gate_metric: str) -> list[SafeString]:
    """Return every plot that the evaluation has figures for."""
    curves = evaluation.get("curves", {})
    learning = curves.get("learning", [])
    found = [
        *_comparisons(evaluation.get("metrics", {}), gate_metric),
        plots.learning_loss(learning),
        _validation_curve(learning, gate_metric),
        plots.roc(curves.get("roc") or []),
        plots.precision_recall(curves.get("pr") or []),
        plots.calibration(curves.get("calibration") or []),
        plots.histogram(curves.get("histogram") or []),
        plots.confusion(curves.get("confusion") or {}),
    ]
    return [plots.render(plot) for plot in found if plot is not None]


def _table(title: str, metrics: Mapping[str, Any]) -> MetricsTable:
    baselines = metrics.get("baselines", {})
    columns = {"model": metrics["model"], **{name: baselines[name] for name in in_order(baselines)}}
    names = in_order({name for values in columns.values() for name in values})
    return MetricsTable(
        title=title,
        heads=[baseline_label(name) for name in columns],
        rows=[(metric_label(name), _cells(name, list(columns.values()))) for name in names],
    )


def _cells(metric: str, columns: list[Mapping[str, Any]]) -> list[Cell]:
    values = [column.get(metric) for column in columns]
    known = [value for value in values if isinstance(value, int | float)]
    best = None
    if known and metric not in NOT_A_SCORE:
        best = min(known) if lower_is_better(metric) else max(known)
    return [Cell(figure(value), value is not None and value == best) for value in values]


def _comparisons(metrics: Mapping[str, Any], gate_metric: str) -> list[plots.Plot | None]:
    model, baselines = metrics.get("model", {}), metrics.get("baselines", {})
    shared = [name for name in model if any(name in values for values in baselines.values())]
    ordered = sorted(in_order(shared), key=lambda name: name != gate_metric)[:PLOTTED]
    return [
        plots.comparison(
            f"metric-{number}",
            metric_label(name),
            [
                (baseline_label("model"), model[name]),
                *((baseline_label(key), baselines[key].get(name)) for key in in_order(baselines)),
            ],
            note=_("Lower is better.") if lower_is_better(name) else _("Higher is better."),
        )
        for number, name in enumerate(ordered, start=1)
    ]


def _validation_curve(learning: list[Mapping[str, Any]], gate_metric: str) -> plots.Plot | None:
    if not learning:
        return None
    known = in_order(learning[-1].get("validation", {}))
    if not known:
        return None
    metric = gate_metric if gate_metric in known else known[0]
    return plots.learning_metric(learning, metric, metric_label(metric))


def _day(moment: str | None) -> str:
    if moment is None:
        return "–"
    parsed = parse_datetime(moment)
    return (
        moment
        if parsed is None
        else date_format(localtime(parsed) if parsed.tzinfo else parsed, "DATE_FORMAT")
    )
