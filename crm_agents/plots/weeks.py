"""How many events each week brought: gaps and doubled imports are seen at a glance."""

from collections.abc import Sequence
from datetime import date

from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from crm_agents.plots.figure import Plot, Tick, axis, line, x_scale, y_scale
from crm_agents.plots.scale import number, pixels

TICKS = 4


def weekly(weeks: Sequence[tuple[str, int]]) -> Plot | None:
    """Plot (Monday, events) pairs; None where there are fewer than two weeks."""
    days = [date.fromisoformat(week) for week, _rows in weeks]
    counts = [rows for _week, rows in weeks]
    if len(days) < 2:
        return None
    pairs = list(zip(days, counts, strict=True))
    x = x_scale(days[0].toordinal(), days[-1].toordinal())
    y = y_scale(0, max(counts) or 1)
    shown = [
        days[round(place * (len(days) - 1) / TICKS)] for place in range(TICKS)
    ]  # a last one would not fit
    month = pgettext("format of a date", "M Y")
    return Plot(
        slug="weeks",
        title=_("Outcomes a week"),
        description=_("Interactions that count as outcome, by the week's Monday."),
        heads=(_("Week of"), _("Interactions")),
        rows=[
            (date_format(day, "SHORT_DATE_FORMAT"), number(count))
            for day, count in zip(days, counts, strict=True)
        ],
        y_title=_("Interactions"),
        x_ticks=[Tick(pixels(x(day.toordinal())), date_format(day, month)) for day in dict.fromkeys(shown)],
        y_ticks=axis(y, whole=True),
        lines=[line([(day.toordinal(), count) for day, count in pairs], x, y)],
    )
