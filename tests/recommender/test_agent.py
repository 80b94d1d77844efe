from typing import Any

from crm_agents.recipes import get_recipe, training_config
from recommender.agent import Recommender


def test_the_recommender_ranks_the_next_four_weeks() -> None:
    config = training_config(Recommender(), dataset="one")
    assert (config.task, config.horizon_days) == ("next_product", 28)
    assert config.baselines == ("personal_top", "popularity", "item_knn")
    assert (config.learning_rate, config.batch_size, config.dropout) == (2e-3, 32, 0.2)


def test_the_integrator_overrides_the_defaults(settings: Any) -> None:
    settings.CRM_AGENTS = {
        **settings.CRM_AGENTS,
        "AGENTS": {"recommender": {"horizon_days": 7, "backbone": "mf"}},
    }
    config = training_config(Recommender(), dataset="one", backbone="cnn")
    assert (config.horizon_days, config.backbone) == (7, "cnn")


def test_the_recipe_is_registered_and_gated_against_three_baselines() -> None:
    recipe = get_recipe("recommender")
    assert isinstance(recipe, Recommender)
    assert recipe.gate.metric == "ndcg@10"
    assert recipe.gate.baselines == ("personal_top", "item_knn", "popularity")
    assert recipe.gate.margin == 0.01
    assert set(recipe.gate.baselines) == set(training_config(recipe, dataset="one").baselines)
