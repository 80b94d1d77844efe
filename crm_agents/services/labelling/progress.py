"""How far a label set is, and what the labels have brought: numbers for pages, API and terminal."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib.auth import get_user_model
from django.db.models import Avg, Count
from django.db.models.fields.json import KeyTransform

from crm_agents.models import Annotation, AnnotationKind, ItemStatus, LabelItem, LabelSet, ModelVersion
from crm_agents.recipes import get_recipe

STEP = 100  # labels of one step of the progress
SHOWN_VERSIONS = 50
Z95 = 1.959964


@dataclass(frozen=True)
class Person:
    """What one annotator has done; `seconds` is the mean time of an answer."""

    name: str
    labels: int
    cannot_tell: int
    skipped: int
    seconds: float | None


@dataclass(frozen=True)
class Honest:
    """The queued probabilities against the labels on items drawn at random: what holds for the whole.

    `low` and `high` bound the accuracy with 95 % confidence (Wilson).
    """

    labels: int  # settled in all, when the last of these was
    drawn: int
    accuracy: float
    low: float
    high: float
    log_loss: float


@dataclass(frozen=True)
class VersionGain:
    """A version by the labels it learnt from; `per_step` is the change for each STEP more of them."""

    number: int
    labels: int
    value: float
    per_step: float | None


def counts(label_set: LabelSet) -> dict[str, int]:
    """Return the number of items by status, and under "all"; every status is there."""
    rows = LabelItem.objects.filter(label_set=label_set).order_by().values_list("status")
    found: dict[str, int] = dict.fromkeys(ItemStatus.values, 0)
    found.update(rows.annotate(items=Count("pk")))
    return {**found, "all": sum(found.values())}


def people(label_set: LabelSet) -> list[Person]:
    """Return what each annotator has done, who did most first; one query."""
    name = f"user__{get_user_model().USERNAME_FIELD}"
    rows = (
        Annotation.objects.filter(item__label_set=label_set)
        .order_by()
        .values_list(name, "kind")
        .annotate(times=Count("pk"), seconds=Avg("seconds"))
    )
    found: dict[str, dict[str, tuple[int, float | None]]] = {}
    for person, kind, times, seconds in rows:
        found.setdefault(person or "", {})[kind] = (times, seconds)
    nothing = (0, None)
    made = [
        Person(
            person,
            said.get(AnnotationKind.LABEL, nothing)[0],
            said.get(AnnotationKind.CANNOT_TELL, nothing)[0],
            said.get(AnnotationKind.SKIP, nothing)[0],
            said.get(AnnotationKind.LABEL, nothing)[1],
        )
        for person, said in found.items()
    ]
    return sorted(made, key=lambda person: (-person.labels, person.name))


def honest_estimates(label_set: LabelSet) -> list[Honest]:
    """Return one estimate for each STEP labels in the order of settling, the last one perhaps of fewer."""
    settled = LabelItem.objects.filter(label_set=label_set, status=ItemStatus.AGREED)
    drawn = {
        key: (label, probabilities)
        for key, label, probabilities in settled.filter(drawn=True).values_list(
            "pk", "label", "probabilities"
        )
    }
    found: list[Honest] = []
    step: list[tuple[str, dict[str, float]]] = []
    number = 0
    for number, key in enumerate(settled.order_by("settled_at", "pk").values_list("pk", flat=True), start=1):
        if key in drawn and drawn[key][1]:
            step.append(drawn[key])
        if number % STEP == 0:
            found += _estimate(step, number)
            step = []
    return [*found, *_estimate(step, number)]


def overall(estimates: Sequence[Honest]) -> Honest | None:
    """Return the estimate over all steps together."""
    drawn = sum(each.drawn for each in estimates)
    if not drawn:
        return None
    right = sum(round(each.accuracy * each.drawn) for each in estimates)
    loss = sum(each.log_loss * each.drawn for each in estimates) / drawn
    return Honest(estimates[-1].labels, drawn, right / drawn, *wilson(right, drawn), loss)


def version_gains(label_set: LabelSet) -> tuple[str, list[VersionGain]]:
    """Return the gate's metric, and it for each version of the agent that learnt from labels or none.

    Only versions whose evaluation says how many labels they used; the newest SHOWN_VERSIONS, oldest first.
    """
    try:
        metric = get_recipe(label_set.agent.name).gate.metric
    except LookupError:
        return "", []
    value = KeyTransform(metric, KeyTransform("model", KeyTransform("metrics", "evaluation")))
    labels = KeyTransform("labels", KeyTransform("counts", "evaluation"))
    rows = (
        ModelVersion.objects.filter(agent=label_set.agent)
        .annotate(crm_value=value, crm_labels=labels)
        .order_by("-number")
        .values_list("number", "crm_labels", "crm_value")[:SHOWN_VERSIONS]
    )
    known = [row for row in reversed(rows) if all(isinstance(part, int | float) for part in row[1:])]
    return metric, _gains(known)


def wilson(right: int, of: int) -> tuple[float, float]:
    """Return the bounds of a share with 95 % confidence (Wilson 1927)."""
    share, z = right / of, Z95 * Z95 / of
    middle = (share + z / 2) / (1 + z)
    half = Z95 * math.sqrt(share * (1 - share) / of + z / (4 * of)) / (1 + z)
    return max(0.0, middle - half), min(1.0, middle + half)


def _estimate(step: Iterable[tuple[str, dict[str, float]]], labels: int) -> list[Honest]:
    said = list(step)
    if not said:
        return []
    right = sum(max(given, key=lambda answer: given[answer]) == label for label, given in said)
    losses = [-math.log(min(max(float(given.get(label, 0.0)), 1e-6), 1.0)) for label, given in said]
    return [Honest(labels, len(said), right / len(said), *wilson(right, len(said)), sum(losses) / len(said))]


def _gains(rows: Sequence[tuple[int, Any, Any]]) -> list[VersionGain]:
    found: list[VersionGain] = []
    for number, labels, value in rows:
        before = found[-1] if found else None
        more = int(labels) - before.labels if before else 0
        per_step = (float(value) - before.value) / more * STEP if before and more > 0 else None
        found.append(VersionGain(number, int(labels), float(value), per_step))
    return found
