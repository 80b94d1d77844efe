"""What the admin's page and the one-file HTML show of a version, and that file itself."""

from pathlib import Path
from typing import Any

from django.contrib.staticfiles import finders
from django.template.loader import render_to_string

from crm_agents.cards.compression import compression_rows
from crm_agents.cards.drawing import version_plots
from crm_agents.cards.facts import cleaning_done, configuration, preparation, settings_of
from crm_agents.cards.slices import slices_table
from crm_agents.cards.tables import leads_table, metrics_tables, windows
from crm_agents.folders import artifact_folder
from crm_agents.models import ModelVersion
from crm_agents.models.agent import Verdict
from crm_agents.recipes import get_recipe
from crm_agents.verdicts import verdict_sentences
from crm_agents.words import number


def card_context(version: ModelVersion) -> dict[str, Any]:
    """Return what the partial templates of a card show; agent, snapshot, run and parent are read."""
    evaluation, folder = version.evaluation, artifact_folder(version)
    settings = configuration(version, folder)
    return {
        "version": version,
        "live": version.agent.live_version_id == version.pk,
        "passed": version.verdict == Verdict.PASSED,
        "reasons": verdict_sentences(version.verdict_reasons),
        "tables": metrics_tables(evaluation),
        "leads": leads_table(evaluation),
        "slices": slices_table(evaluation),
        "compression": compression_rows(evaluation),
        "plots": version_plots(evaluation, gate_metric(version)),
        "windows": windows(evaluation),
        "sizes": {
            name: number(getattr(version.snapshot, name)) for name in ("events", "customers", "products")
        },
        "preparation": preparation({**settings, **cleaning_done(folder)}, evaluation),
        "configuration": settings_of(settings),
    }


def html_card(version: ModelVersion) -> str:
    """Return the model card as one HTML file that needs nothing else: no script, no link, no font."""
    context = {**card_context(version), "style": _style(), "card": True}
    return render_to_string("crm_agents/card.html", context)


def card_name(version: ModelVersion, ending: str) -> str:
    """Return the name of the file that a card is saved as."""
    return f"{version.agent.name}-v{version.number}-model-card.{ending}"


def gate_metric(version: ModelVersion) -> str:
    """Return the metric that decides on going live, "" for an agent that is not registered any more."""
    try:
        return get_recipe(version.agent.name).gate.metric
    except LookupError:
        return ""


def _style() -> str:
    """The agents' own stylesheet; the admin's variables, on which it builds, are in the template."""
    found = (
        finders.find("crm_agents/agents.css") or Path(__file__).parent.parent / "static/crm_agents/agents.css"
    )
    return Path(str(found)).read_text(encoding="utf-8")
