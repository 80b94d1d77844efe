"""A configuration that cannot be run is refused with the setting, the value and what is possible."""

from pathlib import Path
from typing import Any

import pytest

from handoff.config import Minimum, TrainingConfig
from handoff.errors import HandoffError, NotEnoughData

GIVEN: dict[str, Any] = {"agent": "churn", "task": "churn", "dataset": "d", "horizon_days": 90}


def refusal(**changes: Any) -> str:
    with pytest.raises(HandoffError) as refused:
        TrainingConfig.from_mapping({**GIVEN, **changes})
    return str(refused.value)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("backbone", "lstm", "backbone is 'lstm'; choose one of mf, cnn, rnn, transformer."),
        ("epochs", 0, "epochs is 0; it must be at least 1 and at most 1000."),
        ("epochs", 99999, "epochs is 99999; it must be at least 1 and at most 1000."),
        ("horizon_days", -1, "horizon_days is -1; it must be at least 1 and at most 730."),
        ("horizon_days", 5000, "horizon_days is 5000; it must be at least 1 and at most 730."),
        ("learning_rate", 0, "learning_rate is 0; it must be above 0 and at most 1."),
        ("width", 10**9, "width is 1000000000; it must be at least 1 and at most 4096."),
        ("top_k", 0, "top_k is 0; it must be at least 1."),
        ("device", "tpu", "device is 'tpu'; choose one of auto, cpu, cuda."),
        ("dropout", 1, "dropout is 1; it must be at least 0 and below 1."),
        ("heads", 3, "width 64 must be a multiple of heads 3."),
        ("schedule", "step", "schedule is 'step'; choose one of cosine, linear, constant."),
        ("precision", "fp16", "precision is 'fp16'; choose one of auto, fp32, bf16."),
        ("pretrain", "never", "pretrain is 'never'; choose one of auto, always."),
        ("accumulate", 0, "accumulate is 0; it must be at least 1 and at most 1024."),
        ("augment_mask", 1, "augment_mask is 1; it must be at least 0 and below 1."),
        ("augment_crop", 1.1, "augment_crop is 1.1; it must be at least 0 and at most 1."),
        ("prune_heads", 0.5, "prune_heads is 0.5: choose with start what to prune."),
        ("prune_layers", 1, "prune_layers is 1: choose with start what to prune."),
        ("freeze_layers", 3, "freeze_layers is 3, but there are 2 layers."),
        ("lora_rank", 8, "lora_rank is 8: adapters need a text_model to sit in."),
    ],
)
def test_an_impossible_value_is_named(name: str, value: Any, message: str) -> None:
    assert refusal(**{name: value}) == message


def test_what_nothing_has_trained_cannot_be_frozen() -> None:
    message = (
        "freeze_layers is 1: layers that nothing has trained cannot be kept. Set start or pretrain_epochs."
    )
    assert refusal(freeze_layers=1, pretrain_epochs=0) == message
    for enough in ({"start": "artifacts/churn/1"}, {"pretrain_epochs": 1}):
        values = {**GIVEN, "freeze_layers": 1, "pretrain_epochs": 0, **enough}
        assert TrainingConfig.from_mapping(values).freeze_layers == 1


def test_a_start_may_be_pruned_but_not_to_nothing() -> None:
    values = {**GIVEN, "start": "artifacts/churn/1", "prune_channels": 0.5}
    assert TrainingConfig.from_mapping({**values, "prune_layers": 1}).prune_layers == 1
    message = "prune_layers is 2 of 2 layers: one must stay."
    assert refusal(start="artifacts/churn/1", prune_layers=2) == message


def test_an_unknown_setting_is_named_with_the_known_ones() -> None:
    message = refusal(learning_rat=1, epoch=2)
    assert message.startswith("Unknown setting epoch, learning_rat; known are accumulate, active_days, ")


def test_a_missing_setting_is_named() -> None:
    with pytest.raises(HandoffError, match="missing 1 required positional argument: 'horizon_days'"):
        TrainingConfig.from_mapping({"agent": "a", "task": "churn", "dataset": "d"})


def test_a_configuration_comes_back_from_its_folder(tmp_path: Path) -> None:
    config = TrainingConfig.from_mapping(
        {**GIVEN, "baselines": ["recency_rule"], "minimum": {"customers": 5, "purchases": 6, "days": 7}}
    )
    config.write(tmp_path / "run")

    again = TrainingConfig.read(tmp_path / "run")

    assert again == config
    assert (again.baselines, again.minimum) == (("recency_rule",), Minimum(5, 6, 7))


def test_a_folder_without_a_configuration_is_named(tmp_path: Path) -> None:
    with pytest.raises(HandoffError) as refused:
        TrainingConfig.read(tmp_path)
    assert str(refused.value) == f"{tmp_path / 'config.json'} does not exist."


def test_what_is_missing_is_facts_that_a_log_can_show() -> None:
    missing: list[dict[str, Any]] = [{"code": "customers", "have": 3, "need": 50}, {"code": "no_examples"}]
    answer = NotEnoughData(missing)
    assert str(answer) == "Not enough data: customers (have 3, need 50), no_examples."
    assert answer.missing == missing
