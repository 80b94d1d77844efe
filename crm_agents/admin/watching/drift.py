"""The drift of one scoring, as its page and the agent's watching page show it."""

from typing import Any

from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from crm_agents.admin.badges import badge
from crm_agents.models import ScoringRun
from crm_agents.plots import render
from crm_agents.plots.watching import side_by_side
from crm_agents.services.watching.facts import drifted
from crm_agents.words import number

SHOWN = 15  # inputs of the table


def drift_context(scoring: ScoringRun) -> dict[str, Any]:
    """Return what the drift section of a scoring's page shows; {} where nothing was measured."""
    facts = scoring.drift
    if "problem" in facts:
        return {"problem": facts["problem"]}
    if "features" not in facts:
        return {}
    limit = scoring.agent.drift_limit
    return {
        "customers": number(facts["customers"]),
        "limit": f"{limit:g}",
        "rows": [
            (each["name"], f"{each['psi']:.3f}", f"{each['by_chance']:.3f}", _state(facts, each, limit))
            for each in facts["features"][:SHOWN]
        ],
        "more": max(0, len(facts["features"]) - SHOWN),
        "scores": _scores(facts, limit),
        "plot": _plot(facts),
    }


def _scores(facts: dict[str, Any], limit: float) -> dict[str, Any]:
    found = facts.get("scores")
    if not found:
        return {}
    return {"psi": f"{found['psi']:.3f}", "state": _state(facts, found, limit)}


def _state(facts: dict[str, Any], part: dict[str, Any], limit: float) -> SafeString:
    if drifted(facts, part, limit):
        return badge("bad", _("drifted"))
    return badge("good", _("stable"))


def _plot(facts: dict[str, Any]) -> SafeString | str:
    found = facts.get("scores", {})
    if not found.get("edges"):
        return ""
    plot = side_by_side(
        "score-drift",
        _("Scores then and now"),
        found["edges"],
        (found["tested"][1:], found["today"][1:]),  # the first share is of those without a score
        (_("At the test"), _("Now")),
        note=_("Share of the customers by score, when the version was tested and in this scoring."),
    )
    return render(plot) if plot else ""
