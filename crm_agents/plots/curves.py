"""Learning, ROC, precision-recall and calibration curves, each from its part of `evaluation.json`."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django.utils.translation import gettext as _

from crm_agents.plots.figure import Plot, axis, line, x_scale, y_scale
from crm_agents.plots.scale import is_number, number, spread

Points = list[tuple[float, float]]


def learning_loss(epochs: Sequence[Mapping[str, Any]]) -> Plot | None:
    """Plot the training loss of each epoch; None where there is nothing to plot."""
    points = _pairs((epoch.get("epoch"), epoch.get("train_loss")) for epoch in epochs)
    return _by_epoch("learning-loss", _("Training loss"), _("Loss"), points)


def learning_metric(epochs: Sequence[Mapping[str, Any]], metric: str, label: str) -> Plot | None:
    """Plot one validation metric of each epoch; None where no epoch has it."""
    points = _pairs((epoch.get("epoch"), epoch.get("validation", {}).get(metric)) for epoch in epochs)
    return _by_epoch("learning-metric", _("Validation %(metric)s") % {"metric": label}, label, points)


def roc(curve: Sequence[Sequence[float]]) -> Plot | None:
    """Plot true against false positive rate, with the diagonal of guessing."""
    return _unit_square(
        "roc",
        _("ROC curve"),
        _("How many leavers are found (up) for how many false alarms (right). The diagonal is guessing."),
        (_("False positive rate"), _("True positive rate")),
        _pairs(curve),
        diagonal=True,
    )


def precision_recall(curve: Sequence[Sequence[float]]) -> Plot | None:
    """Plot precision against recall."""
    return _unit_square(
        "precision-recall",
        _("Precision and recall"),
        _("How many warnings are right (up) when so many of the leavers are found (right)."),
        (_("Recall"), _("Precision")),
        _pairs(curve),
        diagonal=False,
    )


def calibration(bins: Sequence[Mapping[str, Any]]) -> Plot | None:
    """Plot the observed rate of each bin of predictions, with the diagonal of honest probabilities."""
    points = _pairs((each.get("predicted"), each.get("observed")) for each in bins)
    return _unit_square(
        "calibration",
        _("Calibration"),
        _("What was foretold (right) against what happened (up). On the diagonal the two agree."),
        (_("Predicted"), _("Observed")),
        points,
        diagonal=True,
        dots=True,
    )


def _pairs(raw: Iterable[Sequence[Any]]) -> Points:
    return [(float(a), float(b)) for a, b in raw if is_number(a) and is_number(b)]


def _by_epoch(slug: str, title: str, y_title: str, points: Points) -> Plot | None:
    if not points:
        return None
    x = x_scale(*spread(a for a, _b in points))
    y = y_scale(*spread(b for _a, b in points))
    first, last = points[0], points[-1]
    return Plot(
        slug=slug,
        title=title,
        description=_("From %(first)s after epoch %(start)s to %(last)s after epoch %(end)s.")
        % {
            "first": number(first[1]),
            "start": number(first[0]),
            "last": number(last[1]),
            "end": number(last[0]),
        },
        heads=(_("Epoch"), y_title),
        rows=_rows(points),
        x_title=_("Epoch"),
        y_title=y_title,
        x_ticks=axis(x, whole=True),
        y_ticks=axis(y),
        lines=(line(points, x, y, dots=True),),
    )


def _unit_square(
    slug: str,
    title: str,
    description: str,
    names: tuple[str, str],
    points: Points,
    *,
    diagonal: bool,
    dots: bool = False,
) -> Plot | None:
    if not points:
        return None
    x, y = x_scale(0, 1), y_scale(0, 1)
    reference = (line([(0, 0), (1, 1)], x, y, series=0),) if diagonal else ()
    return Plot(
        slug=slug,
        title=title,
        description=description,
        heads=names,
        rows=_rows(points),
        x_title=names[0],
        y_title=names[1],
        x_ticks=axis(x),
        y_ticks=axis(y),
        lines=(*reference, line(points, x, y, dots=dots)),
    )


def _rows(points: Points) -> list[tuple[str, str]]:
    return [(number(a), number(b)) for a, b in points]
