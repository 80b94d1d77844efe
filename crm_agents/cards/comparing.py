"""Versions side by side in words: one table, the best marked, and how surely each differs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from crm_agents.cards.facts import configuration
from crm_agents.cards.tables import Lead, best_of, day, lead
from crm_agents.folders import artifact_folder
from crm_agents.models import ModelVersion
from crm_agents.names import in_order, is_score, metric_label
from crm_agents.services.comparing import Paired
from crm_agents.words import figure, joined, number, setting

PROBLEMS = {
    "windows": gettext_lazy(
        "%(version)s was tested on another window than %(against)s, so they cannot be compared customer by "
        "customer. Differences between their figures may come from the season."
    ),
    "predictions": gettext_lazy(
        "What was said of each customer is not there, or not readable, for both %(version)s and %(against)s: "
        "nothing tells whether their differences are chance."
    ),
    "metrics": gettext_lazy("%(version)s and %(against)s were not tested by the same metrics."),
    "customers": gettext_lazy("%(version)s and %(against)s were tested on different customers."),
}


@dataclass(frozen=True)
class Column:
    """One version's cell of a metric: its figure, and how it differs from the reference."""

    text: str
    best: bool
    lead: Lead | None


@dataclass(frozen=True)
class Side:
    """The versions' table. `notes` say of each pair how many customers it rests on, or why there is none."""

    rows: list[tuple[str, list[Column]]]
    notes: list[str]
    facts: list[tuple[str, list[str]]]
    settings: list[tuple[str, list[str]]]


def side_by_side(versions: Sequence[ModelVersion], found: Sequence[Paired]) -> Side:
    """Lay versions of one agent beside each other."""
    pairs = {each.version.pk: each for each in found}
    models = [_test_metrics(version) for version in versions]
    names = in_order({name for model in models for name in model})
    return Side(
        rows=[(metric_label(name), _columns(name, versions, models, pairs)) for name in names],
        notes=[_note(each) for each in found],
        facts=_facts(versions),
        settings=different_settings(versions),
    )


def _columns(
    metric: str,
    versions: Sequence[ModelVersion],
    models: Sequence[Mapping[str, Any]],
    pairs: Mapping[int, Paired],
) -> list[Column]:
    values = [model.get(metric) for model in models]
    best = best_of(metric, values)
    return [
        Column(figure(value), value is not None and value == best, _lead(metric, pairs.get(version.pk)))
        for version, value in zip(versions, values, strict=True)
    ]


def _lead(metric: str, pair: Paired | None) -> Lead | None:
    if pair is None or metric not in pair.differences or not is_score(metric):
        return None
    return lead(metric, *pair.differences[metric])


def problem_text(pair: Paired) -> str:
    """Say why two versions cannot be paired; "" where they were."""
    text = PROBLEMS.get(pair.problem)
    return str(text) % {"version": pair.version, "against": pair.against} if text else ""


def _note(pair: Paired) -> str:
    problem = problem_text(pair)
    if problem:
        return problem
    text = _(
        "%(version)s and %(against)s on the same draws of %(customers)s customers; examples that only one of "
        "them has are left out: %(left_out)s."
    )
    said = text % {
        "version": pair.version,
        "against": pair.against,
        "customers": number(pair.customers),
        "left_out": number(pair.left_out),
    }
    if pair.again is None:
        return said
    other = pair.version if pair.again == pair.against else pair.against
    added = _(
        "For this %(again)s was measured again on the test window of %(other)s; the figures in the columns "
        "are of each version's own window."
    )
    return joined([said, added % {"again": pair.again, "other": other}])


def _facts(versions: Sequence[ModelVersion]) -> list[tuple[str, list[str]]]:
    def window(version: ModelVersion) -> str:
        ends = (version.evaluation.get("windows") or {}).get("test")
        return _("%(low)s to %(high)s") % {"low": day(ends[0]), "high": day(ends[1])} if ends else "–"

    def examples(version: ModelVersion) -> str:
        return figure((version.evaluation.get("counts") or {}).get("test"))

    return [
        (_("Test window"), [window(version) for version in versions]),
        (_("Examples"), [examples(version) for version in versions]),
        (_("Data"), [version.snapshot.sha256[:12] for version in versions]),
    ]


def different_settings(versions: Sequence[ModelVersion]) -> list[tuple[str, list[str]]]:
    """Return the settings in which the versions differ; a dash where one does not tell."""
    settings = [configuration(version, artifact_folder(version)) for version in versions]
    names = sorted({name for each in settings for name in each})
    values = [(name, [each.get(name) for each in settings]) for name in names]
    return [
        (name, [setting(value) for value in found])
        for name, found in values
        if any(value != found[0] for value in found)
    ]


def _test_metrics(version: ModelVersion) -> Mapping[str, Any]:
    model = (version.evaluation.get("metrics") or {}).get("model")
    return model if isinstance(model, Mapping) else {}
