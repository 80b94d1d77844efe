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
    ],
)
def test_an_impossible_value_is_named(name: str, value: Any, message: str) -> None:
    assert refusal(**{name: value}) == message


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
