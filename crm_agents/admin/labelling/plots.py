"""What the labels have brought, as figures."""

from collections.abc import Sequence

from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from crm_agents.names import metric_label
from crm_agents.plots.figure import Plot, axis, line, render, x_scale, y_scale
from crm_agents.plots.scale import number, spread
from crm_agents.services.labelling.progress import STEP, Honest, VersionGain

LEAST_POINTS = 2  # one is no course, and is told in words


def honest_plot(estimates: Sequence[Honest]) -> SafeString | str:
    """Plot accuracy and log loss of the queued probabilities for each hundred labels; "" for only one."""
    if len(estimates) < LEAST_POINTS:
        return ""
    x = x_scale(*spread([0.0, *(float(each.labels) for each in estimates)]))
    y = y_scale(0, 1)
    accuracy = [(float(each.labels), each.accuracy) for each in estimates]
    loss = [(float(each.labels), min(each.log_loss, 1.0)) for each in estimates]
    plot = Plot(
        slug="honest",
        title=_("How right the model was before people answered"),
        description=_("On items drawn at random, for each %(step)s labels. A log loss above 1 is drawn at 1.")
        % {"step": STEP},
        heads=(_("Labels"), _("Drawn"), _("Accuracy"), _("From (95 %)"), _("to"), _("Log loss")),
        rows=[
            (
                str(each.labels),
                str(each.drawn),
                number(each.accuracy),
                number(each.low),
                number(each.high),
                number(each.log_loss),
            )
            for each in estimates
        ],
        x_title=_("Labels"),
        y_title=_("Accuracy, log loss"),
        x_ticks=axis(x, whole=True),
        y_ticks=axis(y),
        lines=(line(accuracy, x, y, dots=True), line(loss, x, y, series=2, dots=True)),
        legend=((1, _("Accuracy")), (2, _("Log loss"))),
    )
    return render(plot)


def gain_plot(metric: str, versions: Sequence[VersionGain]) -> SafeString | str:
    """Plot the gate's metric of each version by the labels it learnt from; "" where all had as many."""
    if len({each.labels for each in versions}) < LEAST_POINTS:
        return ""
    label = metric_label(metric)
    points = [(float(each.labels), each.value) for each in versions]
    x, y = x_scale(*spread(a for a, _b in points)), y_scale(*spread(b for _a, b in points))
    plot = Plot(
        slug="gain",
        title=_("%(metric)s of versions by the labels they learnt from") % {"metric": label},
        description=_("The metric is that of the version's test window."),
        heads=(_("Version"), _("Labels"), label, _("Change per %(step)s labels") % {"step": STEP}),
        rows=[
            (
                f"v{each.number}",
                str(each.labels),
                number(each.value),
                "–" if each.per_step is None else f"{each.per_step:+.4f}",
            )
            for each in versions
        ],
        x_title=_("Labels"),
        y_title=label,
        x_ticks=axis(x, whole=True),
        y_ticks=axis(y),
        lines=(line(points, x, y, dots=True),),
    )
    return render(plot)
