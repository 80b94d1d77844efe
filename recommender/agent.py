"""The recommender: which products a customer is likely to buy next, and why."""

from typing import Any, ClassVar

from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from crm_agents.answers import as_of
from crm_agents.conf import agent_settings
from crm_agents.models import Agent, ScoreRow
from crm_agents.recipes import Gate, Panel, Recipe
from crm_data.selectors import get_source
from recommender.models import RecommendationSet
from recommender.selectors import recommendations_for

IN_SUMMARY = 3


class Recommender(Recipe):
    """The products that a customer buys within the coming days, ranked."""

    name = "recommender"
    title = _("Recommendations")
    description = _("Ranks the products that each customer is likely to buy in the coming weeks.")
    gate = Gate(metric="ndcg@10", baselines=("personal_top", "item_knn", "popularity"), margin=0.01)
    score_model: ClassVar[type[ScoreRow]] = RecommendationSet
    panel_order = 20
    api_urlconf = "recommender.api.urls"

    def defaults(self) -> dict[str, Any]:
        return {
            "task": "next_product",
            "horizon_days": 28,
            "baselines": ("personal_top", "popularity", "item_knn"),
            "backbone": "transformer",
            "learning_rate": 1e-3,  # these three were chosen on windows before those any benchmark reports
            "batch_size": 32,
            "dropout": 0.2,
            **agent_settings(self.name),
        }

    def customer_panel(self, request: HttpRequest, agent: Agent, customer_id: str) -> Panel | None:
        found = recommendations_for(agent, customer_id)
        context = {
            "agent": agent,
            "recommendations": found,
            "items": found["items"],
            "as_of": as_of(agent),
            "currency": get_source().currency,
        }
        return Panel(self.title, "crm_agents_recommender/panel.html", context)

    def customer_summary(self, agent: Agent, customer_id: str) -> dict[str, Any] | None:
        answer = recommendations_for(agent, customer_id, limit=IN_SUMMARY)
        items = [{key: item[key] for key in ("product", "name", "score")} for item in answer["items"]]
        return {"items": items, **{key: answer[key] for key in ("source", "note", "as_of", "version")}}
