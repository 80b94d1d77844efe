"""Weighing the rarer outcome up, and half precision on a processor, on every backbone."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from handoff.config import TrainingConfig
from handoff.dataset import Dataset
from handoff.errors import HandoffError
from handoff.files import read_json
from neural.courses import EventCourse
from neural.heads import survival_loss
from neural.tasks.balance import balanced
from neural.training import train
from tests.neural.shop import CHURN, NEXT_PRODUCT

Configure = Callable[..., TrainingConfig]


def test_both_outcomes_weigh_the_same_and_an_example_one_on_average() -> None:
    outcome = np.array([0] * 9 + [1] * 3 + [-1] * 5)
    weights = balanced(outcome)
    assert weights == [12 / 18, 12 / 6]
    assert 9 * weights[0] == pytest.approx(3 * weights[1])
    assert (9 * weights[0] + 3 * weights[1]) / 12 == pytest.approx(1)


@pytest.mark.parametrize("outcome", [[0, 0], [1], [-1, -1], []])
def test_one_outcome_alone_weighs_nothing_up(outcome: list[int]) -> None:
    assert balanced(np.array(outcome, np.int64)) == [1.0, 1.0]


def test_a_weight_of_two_is_an_example_seen_twice() -> None:
    logits = torch.randn(3, 4, generator=torch.Generator().manual_seed(0))
    event, last = torch.tensor([1, -1, -1]), torch.tensor([2, 4, 3])
    weighted = survival_loss(logits, event, last, torch.tensor([2.0, 1.0, 1.0]))
    twice = torch.tensor([0, 0, 1, 2])
    assert weighted.item() == pytest.approx(survival_loss(logits[twice], event[twice], last[twice]).item())
    same = survival_loss(logits, event, last, torch.ones(3))
    assert same.item() == pytest.approx(survival_loss(logits, event, last).item())


def test_churn_weighs_who_left_who_stayed_and_nobody_else(shop: Dataset, configure: Configure) -> None:
    plain, weighed = (
        EventCourse(configure(CHURN, class_weight=name), shop, test=False, root=None)
        for name in ("none", "balanced")
    )
    windows = plain.windows
    queries = plain.task.training_queries(windows, np.random.default_rng(0))
    before = plain.task.targets(queries, windows.validation)
    after = weighed.task.targets(queries, windows.validation)
    assert "weight" not in before
    stayed, left = weighed.task.learnt["class_weight"]
    assert left > 1 > stayed
    bought, whole = before["event_bin"] >= 0, before["last_bin"] == before["last_bin"].max()
    assert list(set(after["weight"][bought].tolist())) == pytest.approx([stayed])
    assert list(set(after["weight"][~bought & whole].tolist())) == pytest.approx([left])
    assert set(after["weight"][~bought & ~whole].tolist()) == {1.0}
    assert torch.equal(before["event_bin"], after["event_bin"])


def test_a_task_without_classes_refuses_to_weigh_them(shop: Dataset, configure: Configure) -> None:
    message = "class_weight is 'balanced', but next_product has no classes."
    with pytest.raises(HandoffError, match=message):
        EventCourse(configure(NEXT_PRODUCT, class_weight="balanced"), shop, test=False, root=None)


@pytest.mark.parametrize("backbone", ["mf", "cnn", "rnn", "transformer"])
@pytest.mark.parametrize("base", [NEXT_PRODUCT, CHURN], ids=["next_product", "churn"])
def test_half_precision_trains_on_a_processor(
    base: dict[str, Any], backbone: str, tmp_path: Path, configure: Configure
) -> None:
    configure(base, backbone=backbone, precision="bf16", batch_size=64).write(tmp_path)
    assert train(tmp_path).status == "succeeded"
    name = "ndcg@10" if base is NEXT_PRODUCT else "roc_auc"
    assert read_json(tmp_path / "evaluation.json")["metrics"]["model"][name] > 0.2
