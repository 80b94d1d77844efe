from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from crm_agents.models import ItemStatus, ModelVersion, TrainingRun
from crm_agents.services.labelling.answering import annotate
from crm_agents.services.labelling.progress import (
    VersionGain,
    counts,
    honest_estimates,
    overall,
    people,
    version_gains,
    wilson,
)
from tests.crm_agents.labelling.support import add_items, annotator, label_set_of
from tests.published import publish

pytestmark = pytest.mark.django_db


def test_items_are_counted_by_status_and_people_by_what_they_did() -> None:
    label_set = label_set_of()
    one, two, _three = label_set.items.order_by("place")
    anna, wei = annotator("anna"), annotator("wei")
    annotate(one, user=anna, label="left", seconds=2.0)
    annotate(two, user=wei, kind="skip")
    annotate(two, user=anna, kind="cannot_tell")

    assert counts(label_set) == {"open": 1, "agreed": 1, "disputed": 0, "unknown": 1, "all": 3}
    found = [(who.name, who.labels, who.cannot_tell, who.skipped, who.seconds) for who in people(label_set)]
    assert found == [("anna", 1, 1, 0, 2.0), ("wei", 0, 0, 1, None)]


def test_only_drawn_items_make_the_estimate_a_step_for_each_hundred() -> None:
    label_set = label_set_of(())
    start = timezone.now()
    for number in range(150):
        drawn = number % 5 == 0
        right = number % 10 == 0  # half of the drawn ones, none of the others
        add_items(
            label_set,
            f"C{number}",
            status=ItemStatus.AGREED,
            settled_at=start + timedelta(seconds=number),
            label="left" if right else "stayed",
            drawn=drawn,
            probabilities={"left": 0.8, "stayed": 0.2},
        )

    steps = honest_estimates(label_set)

    assert [(step.labels, step.drawn, step.accuracy) for step in steps] == [(100, 20, 0.5), (150, 10, 0.5)]
    assert steps[0].log_loss == pytest.approx((0.2231436 + 1.6094379) / 2)
    whole = overall(steps)
    assert whole is not None
    assert (whole.labels, whole.drawn, whole.accuracy) == (150, 30, 0.5)
    assert overall([]) is None


def test_the_bounds_are_wilsons() -> None:
    """Figures of R's binom.confint(…, method="wilson")."""
    assert wilson(8, 10) == pytest.approx((0.4901625, 0.9433178), abs=1e-6)
    assert wilson(0, 10) == pytest.approx((0.0, 0.2775328), abs=1e-6)


def test_versions_are_compared_by_the_labels_they_learnt_from() -> None:
    agent = publish("churn", {})
    label_set = label_set_of(())
    assert version_gains(label_set) == ("roc_auc", [])

    def version(number: int, evaluation: dict[str, Any]) -> None:
        run = TrainingRun.objects.create(agent=agent, status="succeeded")
        ModelVersion.objects.create(
            agent=agent,
            number=number,
            run=run,
            artifact="x",
            artifact_sha256="0" * 64,
            snapshot=agent.live_version.snapshot,  # type: ignore[union-attr]
            verdict="passed",
            evaluation=evaluation,
        )

    for number, (labels, value) in enumerate([(0, 0.75), (200, 0.77), (200, 0.76), (None, 0.8)], start=2):
        version(number, {"counts": {"labels": labels}, "metrics": {"model": {"roc_auc": value}}})

    metric, gains = version_gains(label_set)

    assert metric == "roc_auc"
    assert gains[0] == VersionGain(2, 0, 0.75, None)
    assert (gains[1].number, gains[1].labels, gains[1].value) == (3, 200, 0.77)
    assert gains[1].per_step == pytest.approx(0.01)
    assert gains[2] == VersionGain(4, 200, 0.76, None)
    assert len(gains) == 3
