from typing import Any

import pytest

from handoff.config import Minimum, TrainingConfig
from handoff.errors import HandoffError

COMPLETE: dict[str, Any] = {"agent": "a", "task": "churn", "dataset": "d", "horizon_days": 90}


@pytest.mark.parametrize(
    ("name", "value", "kind"),
    [
        ("epochs", "two", "a whole number"),
        ("epochs", True, "a whole number"),
        ("epochs", 2.5, "a whole number"),
        ("epochs", 10**400, "a whole number"),
        ("learning_rate", "fast", "a number"),
        ("learning_rate", float("nan"), "a number"),
        ("excluded", 5, "a list of texts"),
        ("baselines", "popularity", "a list of texts"),
        ("outcome_kinds", [["purchase"]], "a list of texts"),
        ("minimum", 5, "an object"),
        ("test_cutoff", 20110909, "text or null"),
        ("backbone", None, "text"),
    ],
)
def test_a_value_of_the_wrong_type_is_named(name: str, value: Any, kind: str) -> None:
    with pytest.raises(HandoffError) as caught:
        TrainingConfig.from_mapping({**COMPLETE, name: value})
    assert str(caught.value) == f"{name} is {value!r}, of the wrong type; it must be {kind}."


def test_an_unknown_minimum_is_named() -> None:
    known = "customers, days, labels, purchases"
    with pytest.raises(HandoffError, match=f"^Unknown setting cows; known are {known}.$"):
        TrainingConfig.from_mapping({**COMPLETE, "minimum": {"cows": 1}})


def test_values_of_json_become_those_of_the_dataclass() -> None:
    config = TrainingConfig.from_mapping(
        {**COMPLETE, "excluded": ["text"], "minimum": {"days": 30}, "learning_rate": 1, "test_cutoff": None}
    )
    assert (config.excluded, config.minimum, config.learning_rate) == (("text",), Minimum(days=30), 1)
