"""Fills the queue of a label set and keeps it in order. Worker's work: it loads scikit-learn."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any

import numpy as np
from django.db import transaction

from crm_agents.models import ItemStatus, LabelItem, LabelSet, Subject
from crm_agents.services.labelling.candidates import Candidate, candidates
from crm_agents.services.labelling.ordering import Floats, arrange, draw, uncertainty_of
from crm_agents.services.labelling.text_model import (
    enough_labels,
    fitted_probabilities,
    text_features,
    text_vectors,
)

ASK_AGAIN = timedelta(days=90)  # a customer asked about lately is not asked about again
BATCH = 500
Known = dict[str, tuple[int, Any]]  # customer or key → newest item, and the moment it speaks of


@dataclass(frozen=True)
class Filled:
    """What a filling did: items added, drawn ones among all, and how many subjects there were."""

    added: int
    drawn: int
    population: int


def fill_queue(
    label_set: LabelSet,
    *,
    size: int,
    seed: int | None = None,
    on_stored: Callable[[Filled], bool] | None = None,
) -> Filled:
    """Add up to `size` items to the queue, without repeating any, and put it in order.

    The random share is drawn from all subjects, queued before or not: one that is in the queue already
    becomes a drawn one, so that the share stays a fair sample of the whole however often it is filled.
    `on_stored` is called in the transaction that stores the items, and may refuse it.
    """
    population = candidates(label_set)
    known = _known(label_set)
    seed = len(known) if seed is None else seed
    share = min(1.0, label_set.random_share * size / max(len(population), 1))
    drawn = draw(len(population), share, seed=seed)
    fresh = np.asarray([not _is_known(label_set, each, known) for each in population], dtype=bool)
    repeated = [known[_name(label_set, population[at])][0] for at in np.flatnonzero(drawn & ~fresh)]
    chosen = _chosen(population, fresh, drawn, size, seed)
    filled = Filled(len(chosen), int(drawn.sum()), len(population))
    with transaction.atomic():
        if on_stored is not None and not on_stored(filled):
            return filled
        LabelItem.objects.filter(pk__in=repeated).update(drawn=True)
        items = [_item(label_set, population[at], bool(drawn[at])) for at in chosen]
        LabelItem.objects.bulk_create(items, batch_size=BATCH, ignore_conflicts=True)
    reorder(label_set, seed=seed)
    return filled


def reorder(label_set: LabelSet, *, seed: int = 0) -> int:
    """Put the open items in order, by a model of the labels so far where texts are labelled; return how many.

    Items that somebody has answered keep the probabilities they were queued with.
    """
    waiting = list(LabelItem.objects.filter(label_set=label_set, status=ItemStatus.OPEN).order_by("pk"))
    if not waiting:
        return 0
    vectors = _read_texts(label_set, waiting, seed) if label_set.subject != Subject.CUSTOMER else None
    order = arrange(
        [item.uncertainty for item in waiting],
        np.asarray([item.drawn for item in waiting], dtype=bool),
        vectors=vectors,
        seed=seed,
    )
    for place, position in enumerate(order):
        waiting[position].place = float(place)
    LabelItem.objects.bulk_update(waiting, ["place", "uncertainty", "probabilities"], batch_size=BATCH)
    return len(waiting)


def _read_texts(label_set: LabelSet, waiting: list[LabelItem], seed: int) -> Floats | None:
    """Set probabilities and uncertainty of the waiting items; return their vectors, None without texts."""
    if not any(item.text.strip() for item in waiting):
        return None
    labelled = list(
        LabelItem.objects.filter(label_set=label_set, status=ItemStatus.AGREED)
        .exclude(text="")
        .values_list("text", "label")
    )
    texts, labels = [text for text, _label in labelled], [label for _text, label in labelled]
    features: Any = text_features([*texts, *(item.text for item in waiting)])
    if enough_labels(labels):
        answers, found = fitted_probabilities(features[: len(texts)], labels, features[len(texts) :])
        answered = set(_answered(label_set))
        for item, row in zip(waiting, found, strict=True):
            if item.pk not in answered:
                item.probabilities = dict(zip(answers, np.round(row, 6).tolist(), strict=True))
                item.uncertainty = uncertainty_of(item.probabilities)
    return text_vectors(features[len(texts) :], seed=seed)


def _answered(label_set: LabelSet) -> Sequence[int]:
    open_items = LabelItem.objects.filter(label_set=label_set, status=ItemStatus.OPEN)
    return list(open_items.filter(annotations__isnull=False).values_list("pk", flat=True))


def _chosen(population: Sequence[Candidate], fresh: Any, drawn: Any, size: int, seed: int) -> list[int]:
    """Return the positions of the new items: those drawn, then the most uncertain."""
    picked = [int(at) for at in np.flatnonzero(fresh & drawn)][:size]
    rest = np.random.default_rng(seed + 1).permutation(np.flatnonzero(fresh & ~drawn))
    unsure = np.asarray([uncertainty_of(population[at].probabilities) for at in rest])
    ordered = rest[np.argsort(-unsure, kind="stable")]
    return picked + [int(at) for at in ordered[: size - len(picked)]]


def _known(label_set: LabelSet) -> Known:
    field = "customer_id" if label_set.subject == Subject.CUSTOMER else "key"
    rows = LabelItem.objects.filter(label_set=label_set).order_by("at").values_list(field, "pk", "at")
    return {name: (pk, at) for name, pk, at in rows.iterator(chunk_size=5_000)}


def _name(label_set: LabelSet, candidate: Candidate) -> str:
    return candidate.customer_id if label_set.subject == Subject.CUSTOMER else candidate.key


def _is_known(label_set: LabelSet, candidate: Candidate, known: Known) -> bool:
    found = known.get(_name(label_set, candidate))
    if found is None or label_set.subject != Subject.CUSTOMER:
        return found is not None
    return bool(candidate.at - found[1] < ASK_AGAIN)


def _item(label_set: LabelSet, candidate: Candidate, drawn: bool) -> LabelItem:
    return LabelItem(
        label_set=label_set,
        **asdict(candidate),
        drawn=drawn,
        uncertainty=uncertainty_of(candidate.probabilities),
    )
