"""The plots of a model card, each from its part of the evaluation."""

from collections.abc import Mapping
from typing import Any

from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from crm_agents import plots
from crm_agents.cards.slices import slice_label
from crm_agents.cards.tables import intervals_of
from crm_agents.names import baseline_label, in_order, lower_is_better, metric_label

PLOTTED = 4  # metrics that get a bar chart
SLICES = 10  # weakest slices that are drawn


def version_plots(evaluation: Mapping[str, Any], gate_metric: str) -> list[SafeString]:
    """Return every plot that the evaluation has figures for."""
    curves = evaluation.get("curves", {})
    learning = curves.get("learning", [])
    found = [
        *_comparisons(evaluation, gate_metric),
        weak_slices(evaluation),
        *_rankings(curves, gate_metric),
        plots.learning_loss(learning),
        _validation_curve(learning, gate_metric),
        plots.roc(curves.get("roc") or []),
        plots.precision_recall(curves.get("pr") or []),
        plots.calibration(curves.get("calibration") or []),
        plots.histogram(curves.get("histogram") or []),
        plots.confusion(curves.get("confusion") or {}),
    ]
    return [plots.render(plot) for plot in found if plot is not None]


def weak_slices(evaluation: Mapping[str, Any]) -> plots.Plot | None:
    """Plot the weakest slices that are large enough to be ranked."""
    found = evaluation.get("slices") or {}
    judged = [group for group in found.get("groups", []) if group["enough"]][:SLICES]
    if not judged:
        return None
    return plots.ranges(
        "slices",
        _("%(metric)s of the weakest slices") % {"metric": metric_label(found["metric"])},
        [
            plots.Range(
                slice_label(group), group["value"], group["low"], group["high"], bool(group.get("below"))
            )
            for group in judged
        ],
        overall=found.get("all"),
        note=_(
            "The dashed line is the value of all. A slice is surely weaker where its range ends before it."
        ),
    )


def _comparisons(evaluation: Mapping[str, Any], gate_metric: str) -> list[plots.Plot | None]:
    metrics = evaluation.get("metrics", {})
    model, baselines = metrics.get("model", {}), metrics.get("baselines", {})
    sure = intervals_of(evaluation).get("methods", {})
    shared = [name for name in model if any(name in values for values in baselines.values())]
    ordered = sorted(in_order(shared), key=lambda name: name != gate_metric)[:PLOTTED]
    columns = {"model": model, **{name: baselines[name] for name in in_order(baselines)}}
    return [
        plots.comparison(
            f"metric-{number}",
            metric_label(name),
            [(baseline_label(key), values.get(name)) for key, values in columns.items()],
            note=_("Lower is better.") if lower_is_better(name) else _("Higher is better."),
            intervals={
                baseline_label(key): tuple(sure.get(key, {}).get(name) or (None, None)) for key in columns
            },
        )
        for number, name in enumerate(ordered, start=1)
    ]


def _rankings(curves: Mapping[str, Any], gate_metric: str) -> list[plots.Plot | None]:
    found = curves.get("by_length") or {}
    order = ["model", *(name for name in in_order(found) if name != "model")]

    def lengths(metric: str, title: str) -> plots.Plot | None:
        if "model" not in found:
            return None
        return plots.by_length(
            f"by-length-{metric}",
            title,
            [(baseline_label(name), found[name].get(metric, [])) for name in order],
        )

    return [
        lengths("ndcg", _("NDCG by length of the list")),
        lengths("recall", _("Recall by length of the list")),
        plots.by_customer(curves.get("by_customer") or [], metric_label("ndcg@10")),
        plots.popularity(curves.get("popularity") or []),
    ]


def _validation_curve(learning: list[Mapping[str, Any]], gate_metric: str) -> plots.Plot | None:
    if not learning:
        return None
    known = in_order(learning[-1].get("validation", {}))
    if not known:
        return None
    metric = gate_metric if gate_metric in known else known[0]
    return plots.learning_metric(learning, metric, metric_label(metric))
