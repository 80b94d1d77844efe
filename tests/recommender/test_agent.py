from typing import Any

from crm_agents.recipes import get_recipe, training_config
from crm_agents.services.gate import judge
from crm_agents.verdicts import verdict_sentences
from recommender.agent import Recommender


def test_the_recommender_ranks_the_next_four_weeks() -> None:
    config = training_config(Recommender(), dataset="one")
    assert (config.task, config.horizon_days) == ("next_product", 28)
    assert config.baselines == ("personal_top", "popularity", "item_knn")
    assert (config.learning_rate, config.batch_size, config.dropout) == (3e-3, 16, 0.2)


def test_the_integrator_overrides_the_defaults(settings: Any) -> None:
    settings.CRM_AGENTS = {
        **settings.CRM_AGENTS,
        "AGENTS": {"recommender": {"horizon_days": 7, "backbone": "mf"}},
    }
    config = training_config(Recommender(), dataset="one", backbone="cnn")
    assert (config.horizon_days, config.backbone) == (7, "cnn")


def evaluation(new: float | None, rival: float | None) -> dict[str, Any]:
    rivals = {name: {"ndcg@10": 0.1, "ndcg@10_new": rival} for name in Recommender.gate.baselines}
    return {"metrics": {"model": {"ndcg@10": 0.2, "ndcg@10_new": new}, "baselines": rivals}}


def test_a_version_that_only_repeats_what_is_bought_anyway_does_not_go_live() -> None:
    assert judge(Recommender.gate, evaluation(0.09, 0.09)).passed
    judgement = judge(Recommender.gate, evaluation(0.08, 0.09))
    assert not judgement.passed
    assert [each.metric for each in judgement.comparisons if not each.passed] == ["ndcg@10_new"]
    assert verdict_sentences(judgement.reasons)[-1] == (
        "NDCG@10, products new to the customer 0.0800 is not enough to beat 0.0900 (Bought together "
        "(ItemKNN)); needed: at least 0.0900."
    )


def test_a_small_shop_where_nobody_bought_anything_new_is_not_held_up() -> None:
    judgement = judge(Recommender.gate, evaluation(None, None))
    assert judgement.passed
    assert verdict_sentences(judgement.reasons)[-1] == (
        "The test window cannot tell this, so nobody is held up by it: NDCG@10, products new to the customer."
    )


def test_the_recipe_is_registered_and_gated_against_three_baselines() -> None:
    recipe = get_recipe("recommender")
    assert isinstance(recipe, Recommender)
    assert recipe.gate.metric == "ndcg@10"
    assert recipe.gate.baselines == ("personal_top", "item_knn", "popularity")
    assert recipe.gate.margin == 0.01
    assert set(recipe.gate.baselines) == set(training_config(recipe, dataset="one").baselines)
