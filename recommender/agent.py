"""The recommender: which products a customer is likely to buy next, and why."""

from typing import Any, ClassVar

from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from crm_agents.models import Agent, ScoreRow
from crm_agents.recipes import Gate, Panel, Recipe, SideTable
from recommender.choosing.popular import popular_payload
from recommender.conf import training_settings
from recommender.models import ProductAudience, ProductRelations, RecommendationSet
from recommender.panel import panel_context
from recommender.selectors import recommendations_for

IN_SUMMARY = 3


class Recommender(Recipe):
    """The products that a customer buys within the coming days, ranked."""

    name = "recommender"
    title = _("Recommendations")
    description = _("Ranks the products that each customer is likely to buy in the coming weeks.")
    # Beside what customers buy anyway, staff want to be told what is new to them.
    gate = Gate(
        metric="ndcg@10",
        baselines=("personal_top", "item_knn", "popularity"),
        margin=0.01,
        also={"ndcg@10_new": (">=", "item_knn")},
    )
    score_model: ClassVar[type[ScoreRow]] = RecommendationSet
    side_tables: ClassVar[tuple[SideTable, ...]] = (
        SideTable("audience", ProductAudience, customers=True),
        SideTable("relations", ProductRelations),
    )
    panel_order = 20
    api_urlconf = "recommender.api.urls"
    offers_popularity = True

    def defaults(self) -> dict[str, Any]:
        return {
            "task": "next_product",
            "horizon_days": 28,
            "baselines": ("personal_top", "popularity", "item_knn"),
            "backbone": "transformer",
            "learning_rate": 3e-3,  # these were chosen on windows before those that any benchmark reports
            "epochs": 3,
            "refit_epochs": 3,
            "batch_size": 16,
            "dropout": 0.2,
            "top_k": 50,  # filters and rules want something to choose from
            **training_settings(),
        }

    def popular_payload(self, agent: Agent) -> dict[str, Any] | None:
        return popular_payload(agent)

    def customer_panel(self, request: HttpRequest, agent: Agent, customer_id: str) -> Panel | None:
        return Panel(
            self.title, "crm_agents_recommender/panel.html", panel_context(request, agent, customer_id)
        )

    def customer_summary(self, agent: Agent, customer_id: str) -> dict[str, Any] | None:
        answer = recommendations_for(agent, customer_id, limit=IN_SUMMARY)
        items = [{key: item[key] for key in ("product", "name", "score")} for item in answer["items"]]
        return {"items": items, **{key: answer[key] for key in ("source", "note", "as_of", "version")}}
