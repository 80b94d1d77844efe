"""Agents, gates, times and figures, in the reader's language."""

from django.utils.translation import gettext as _

from crm_agents.models import Agent
from crm_agents.names import baseline_label, metric_label
from crm_agents.recipes import Gate, get_recipe
from crm_agents.verdicts import NEEDED
from crm_agents.words import figure as figure
from crm_agents.words import joined


def agent_title(agent: Agent) -> str:
    """Name an agent as its page is headed; one whose app is gone keeps the name that it is stored by."""
    try:
        title = str(get_recipe(agent.name).title)
    except LookupError:
        title = agent.name
    return f"{title} ({agent.tenant})" if agent.tenant else title


def gate_sentence(gate: Gate) -> str:
    """Say what a version must do to go live."""
    if gate.margin:
        sentence = _(
            "A version goes live by itself when its %(metric)s on the test window is at least %(margin)s "
            "better than that of each of these: %(baselines)s."
        )
    else:
        sentence = _(
            "A version goes live by itself when its %(metric)s on the test window is better than that of "
            "each of these: %(baselines)s."
        )
    said = sentence % {
        "metric": metric_label(gate.metric),
        "margin": f"{gate.margin * 100:.3g} %",
        "baselines": "; ".join(baseline_label(name) for name in gate.baselines),
    }
    bounds = "; ".join(
        f"{metric_label(name)}: {NEEDED[sign] % {'value': _bound(bound)}}"
        for name, (sign, bound) in gate.also.items()
    )
    surely = _("The lead must be more than chance explains.") if gate.sure else ""
    needs = _("It also needs %s.") % bounds if bounds else ""
    return joined(sentence for sentence in (said, surely, needs) if sentence)


def _bound(bound: float | str) -> str:
    if not isinstance(bound, str):
        return f"{bound:g}"
    return _("that of “%(baseline)s”") % {"baseline": baseline_label(bound)}


def duration(seconds: float | None) -> str:
    """Write a length of time in its two largest units: "1 h 4 min", "2 min 5 s", "7 s"."""
    if seconds is None:
        return ""
    whole = max(0, round(seconds))
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return _("%(hours)s h %(minutes)s min") % {"hours": hours, "minutes": minutes}
    if minutes:
        return _("%(minutes)s min %(seconds)s s") % {"minutes": minutes, "seconds": rest}
    return _("%(seconds)s s") % {"seconds": rest}
