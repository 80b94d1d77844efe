from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from crm_agents.recipes import training_config
from recommender.agent import Recommender
from recommender.conf import default_diversity


def configure(settings: Any, recommender: Any) -> None:
    settings.CRM_AGENTS = {**settings.CRM_AGENTS, "AGENTS": {"recommender": recommender}}


def test_lists_are_by_chance_alone_unless_the_settings_say_otherwise(settings: Any) -> None:
    assert default_diversity() == 0
    configure(settings, {"diversity": 0.2, "epochs": 3})
    assert default_diversity() == 0.2
    assert training_config(Recommender(), dataset="one").epochs == 3


@pytest.mark.parametrize("value", [1.5, -0.1, "much", True, None, float("nan")])
def test_a_wrong_diversity_is_named_with_its_remedy(settings: Any, value: Any) -> None:
    configure(settings, {"diversity": value})
    message = (
        f'CRM_AGENTS["AGENTS"]["recommender"]["diversity"] is {value!r}; it must be a number from 0 to 1.'
    )
    with pytest.raises(ImproperlyConfigured) as raised:
        Recommender().defaults()  # what the system check tries
    assert str(raised.value) == message
