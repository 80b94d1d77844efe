"""The model card as JSON values, and what it says of settings and preparation."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from django.utils.translation import gettext as _

from crm_agents.models import ModelVersion
from crm_agents.verdicts import comparison_entries
from crm_agents.words import figure, number, setting
from handoff.errors import HandoffError
from handoff.files import read_json

# Told in words under "Preparation".
PREPARATION = ("cleaning", "excluded", "label_weight")


def model_card(version: ModelVersion, folder: Path) -> dict[str, Any]:
    """Return the card as JSON values; `folder` is the artifact's."""
    snapshot = version.snapshot
    card = {
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
        **cleaning_done(folder),
        "evaluation": version.evaluation,
    }
    if version.parent is not None:
        card["made_from"] = {"version": version.parent.number, "sha256": version.parent.artifact_sha256}
    return card


def configuration(version: ModelVersion, folder: Path) -> dict[str, Any]:
    """Return the whole configuration from the artifact, or what was asked for where that is gone."""
    try:
        config = read_json(folder / "config.json")
    except (HandoffError, OSError):
        return dict(version.run.config)
    # Where a folder lay on the machine that trained is nobody else's business.
    config.pop("dataset", None)
    return config


def cleaning_done(folder: Path) -> dict[str, Any]:
    """Return "cleaning" as the run did it, with the limits that it found in its training window."""
    try:
        card = read_json(folder / "model_card.json")
    except (HandoffError, OSError):
        return {}
    return {"cleaning": card["cleaning"]} if isinstance(card.get("cleaning"), dict) else {}


def settings_of(configuration: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the settings that are shown by their names, sorted."""
    shown = sorted(name for name in configuration if name not in PREPARATION)
    return [(name, setting(configuration[name])) for name in shown]


def preparation(configuration: Mapping[str, Any], evaluation: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return what was done to the data before the model saw it, as (what, how); nothing where not told."""
    said: list[tuple[str, str]] = []
    cleaning = configuration.get("cleaning")
    if isinstance(cleaning, Mapping):
        said += _cleaning(cleaning)
    if "excluded" in configuration:
        said.append((_("Fields taken out"), ", ".join(configuration["excluded"]) or _("none")))
    if "label_weight" in configuration:
        said.append((_("Weight of a person's label"), figure(configuration["label_weight"])))
    labels = (evaluation.get("counts") or {}).get("labels")
    if labels is not None:
        said.append((_("Labels by people, in training"), figure(labels)))
    if said:
        said.append((_("Numbers"), _("Standardised by mean and spread of the training window.")))
    return said


def _cleaning(cleaning: Mapping[str, Any]) -> list[tuple[str, str]]:
    dropped = cleaning.get("duplicates") == "drop"
    clipped = cleaning.get("outliers") == "clip"
    share = number(100 * float(cleaning.get("quantile", 1)), 1)
    limit = _("clipped at the %(share)s %% quantile of the training window") % {"share": share}
    fields = (("amount", _("amount")), ("quantity", _("quantity")))
    found = [
        f"{label} {number(cleaning[name], 2)}" for name, label in fields if cleaning.get(name) is not None
    ]
    if found:
        limit = f"{limit} ({', '.join(found)})"
    return [
        (_("Lines that are equal in every column"), _("counted once") if dropped else _("kept")),
        (_("Extreme amounts and quantities"), limit if clipped else _("kept")),
    ]
