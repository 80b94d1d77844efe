from typing import Any

import pytest

from crm_agents.services.tuning.space import TUNABLE, Parameter, combinations, default_space, read_space
from handoff.config import TrainingConfig
from handoff.errors import HandoffError

CONFIG = TrainingConfig(agent="churn", task="churn", dataset="", horizon_days=90, learning_rate=0.002)


def test_a_space_is_read() -> None:
    assert read_space(
        {
            "learning_rate": {"type": "float", "low": 1e-4, "high": 0.01, "log": True},
            "layers": {"type": "int", "low": 1, "high": 4},
            "backbone": {"type": "choice", "values": ["cnn", "rnn"]},
        }
    ) == {
        "learning_rate": Parameter("float", 1e-4, 0.01, log=True),
        "layers": Parameter("int", 1, 4),
        "backbone": Parameter("choice", values=("cnn", "rnn")),
    }


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        ({}, "space is empty; name at least one setting"),
        ({"learning_rat": {}}, "space names learning_rat, which cannot be searched; known are accumulate, "),
        ({"horizon_days": {"type": "int", "low": 1, "high": 9}}, "space names horizon_days, which cannot"),
        ({"dataset": {"type": "choice", "values": ["/etc"]}}, "space names dataset"),
        ({"dropout": 3}, 'space.dropout is 3; it must be an object with a "type": float, int, choice.'),
        (
            {"dropout": {"type": "float", "low": 0, "hi": 1}},
            "space.dropout has hi, which float",
        ),
        (
            {"dropout": {"type": "float", "low": 0, "high": 1}},
            "space.dropout.high holds 1; it must be at least",
        ),
        ({"dropout": {"type": "float", "low": 0.0}}, "space.dropout.high holds None; it must be a number."),
        (
            {"dropout": {"type": "float", "low": 0.5, "high": 0.2}},
            "space.dropout.low is 0.5; it must be below",
        ),
        ({"dropout": {"type": "float", "low": 0, "high": 0.2, "log": True}}, "space.dropout.log is True; it"),
        ({"dropout": {"type": "int", "low": 0, "high": 1}}, 'space.dropout.type is "int"; for this setting'),
        (
            {"layers": {"type": "int", "low": 1, "high": 2.5}},
            "space.layers.high holds 2.5; it must be a whole",
        ),
        (
            {"layers": {"type": "int", "low": 1, "high": True}},
            "space.layers.high holds True; it must be a whole",
        ),
        ({"layers": {"type": "int", "low": 1, "high": 4, "step": 0}}, "space.layers.step is 0; it must be"),
        (
            {"backbone": {"type": "choice", "values": ["gpt"]}},
            "space.backbone.values holds 'gpt'; choose of mf",
        ),
        (
            {"backbone": {"type": "choice", "values": "cnn"}},
            "space.backbone.values is 'cnn'; it must be a list",
        ),
        ({"backbone": {"type": "choice", "values": ["cnn", "cnn"]}}, "each value may stand there once"),
        ({"backbone": {"type": "float", "low": 0, "high": 1}}, 'for this setting it must be "choice"'),
        (
            {"width": {"type": "choice", "values": [32, 50]}, "heads": {"type": "choice", "values": [2, 4]}},
            "space.width holds 50, which is no multiple of 4 in space.heads.",
        ),
    ],
)
def test_what_cannot_be_searched_is_named(raw: dict[str, Any], words: str) -> None:
    with pytest.raises(HandoffError) as refusal:
        read_space(raw)
    assert words in str(refusal.value)


def test_combinations_are_in_the_order_of_the_values() -> None:
    space = read_space(
        {
            "backbone": {"type": "choice", "values": ["cnn", "mf"]},
            "layers": {"type": "choice", "values": [1, 2]},
        }
    )

    assert combinations(space) == [
        {"backbone": "cnn", "layers": 1},
        {"backbone": "cnn", "layers": 2},
        {"backbone": "mf", "layers": 1},
        {"backbone": "mf", "layers": 2},
    ]
    with pytest.raises(HandoffError, match=r"space\.dropout is a range; a comparison needs a list"):
        combinations(read_space({"dropout": {"type": "float", "low": 0.0, "high": 0.5}}))


def test_the_default_space_lies_around_the_agents_own_settings() -> None:
    space = read_space(default_space(CONFIG))

    assert space["learning_rate"] == Parameter("float", 0.0004, 0.01, log=True)
    assert all(parameter.holds(getattr(CONFIG, name)) for name, parameter in space.items())


def test_what_makes_trials_incomparable_cannot_be_searched() -> None:
    assert not {"horizon_days", "active_days", "task", "dataset", "start", "device", "export"} & set(TUNABLE)
