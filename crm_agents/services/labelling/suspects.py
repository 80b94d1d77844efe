"""Labels that are probably wrong, by confident learning (Northcutt et al. 2021). Worker's work."""

from collections import Counter
from typing import Any

import numpy as np
from django.db import transaction

from crm_agents.models import ItemStatus, LabelItem, LabelSet
from crm_agents.services.labelling.confident import suspicions
from crm_agents.services.labelling.text_model import Floats, held_out_probabilities, text_features

FEWEST_LABELS = 50
FEWEST_OF_ONE = 5  # an answer given less often is left out: nothing is known of what it looks like
BATCH = 500


class NothingToSearch(Exception):
    """The labels do not tell errors from truth; `fact` says what is missing, for `words`."""

    def __init__(self, **fact: Any) -> None:
        super().__init__(str(fact))
        self.fact = fact


def find_suspects(label_set: LabelSet) -> dict[str, int]:
    """Mark the settled items whose label is probably wrong; return how many of how many.

    `suspicion` becomes 1 less the probability that the label is right, None where nothing is wrong with
    it. Texts are judged by a model that did not see the label in question; customers by the probability
    with which they were queued. Raises NothingToSearch, and changes nothing, where there are too few
    labels or answers.
    """
    items = list(
        LabelItem.objects.filter(label_set=label_set, status=ItemStatus.AGREED)
        .order_by("pk")
        .only("pk", "text", "label", "probabilities", "decided")
    )
    used = _usable(items)
    answers, probabilities = _probabilities(used)
    labels = [item.label for item in used]
    wrong = suspicions(labels, answers, probabilities)
    with transaction.atomic():
        LabelItem.objects.filter(label_set=label_set).exclude(suspicion=None).update(suspicion=None)
        doubted = []
        for item, suspicion in zip(used, wrong, strict=True):
            if suspicion is not None and not item.decided:  # a person has looked at it twice
                item.suspicion = suspicion
                doubted.append(item)
        LabelItem.objects.bulk_update(doubted, ["suspicion"], batch_size=BATCH)
    return {"labels": len(used), "left_out": len(items) - len(used), "found": len(doubted)}


def _usable(items: list[LabelItem]) -> list[LabelItem]:
    known = [item for item in items if item.text.strip() or item.label in item.probabilities]
    if items and not known:
        raise NothingToSearch(code="no_probabilities")
    counts = Counter(item.label for item in known)
    often = {label for label, count in counts.items() if count >= FEWEST_OF_ONE}
    used = [item for item in known if item.label in often]
    if len(used) < FEWEST_LABELS:
        raise NothingToSearch(code="labels", have=len(used), need=FEWEST_LABELS)
    if len(often) < 2:
        raise NothingToSearch(code="answers", have=len(often), need=2, each=FEWEST_OF_ONE)
    return used


def _probabilities(items: list[LabelItem]) -> tuple[list[str], Floats]:
    labels = [item.label for item in items]
    if all(item.text.strip() for item in items):
        return held_out_probabilities(text_features([item.text for item in items]), labels)
    answers = sorted(set(labels))
    raw = np.asarray([[float(item.probabilities.get(answer, 0)) for answer in answers] for item in items])
    return answers, raw / np.maximum(raw.sum(axis=1, keepdims=True), 1e-9)
