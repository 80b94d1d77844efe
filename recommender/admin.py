"""The worklist of recommendations: the customers for whom the agent is surest first."""

from collections.abc import Sequence
from typing import Any

from django.contrib.admin import display
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from crm_agents.admin.badges import badge
from crm_agents.admin.worklists import Worklist
from crm_agents.words import number
from crm_data.admin.sites import register
from recommender.models import RecommendationSet
from recommender.selectors import set_answers

EXPORTED = 10


class RecommenderWorklist(Worklist):
    """Live recommendations for the customers whom the user may see."""

    recipe = "recommender"
    list_display = ("customer_link", "customer_id", "best", "why", "next_best", "source_badge", "sureness")
    export_header = (
        _("customer number"),
        _("customer"),
        _("rank"),
        _("product number"),
        _("product"),
        _("score"),
        _("reasons"),
        _("note"),
        _("as of"),
    )

    def prepare(self, rows: Sequence[Any]) -> None:
        super().prepare(rows)
        for tenant in {row.tenant for row in rows}:
            mine = [row for row in rows if row.tenant == tenant]
            for row, answer in zip(mine, set_answers(mine, tenant, limit=EXPORTED), strict=True):
                vars(row)["answer"] = answer

    @display(description=_("best product"))
    def best(self, row: RecommendationSet) -> str:
        items = vars(row)["answer"]["items"]
        return items[0]["name"] if items else "–"

    @display(description=_("why"))
    def why(self, row: RecommendationSet) -> str:
        answer = vars(row)["answer"]
        reasons = answer["items"][0]["reasons"] if answer["items"] else []
        return " ".join([*reasons[:1], answer["note"]]).strip()

    @display(description=_("then"))
    def next_best(self, row: RecommendationSet) -> str:
        return ", ".join(item["name"] for item in vars(row)["answer"]["items"][1:3])

    @display(description=_("source"))
    def source_badge(self, row: RecommendationSet) -> SafeString:
        popular = vars(row)["answer"]["source"] == "popularity"
        return badge("warn", _("popularity")) if popular else badge("calm", _("model"))

    @display(description=_("score"), ordering="score")
    def sureness(self, row: RecommendationSet) -> str:
        return "–" if row.score is None else number(row.score, 3)

    def export_rows(self, row: Any) -> list[list[Any]]:
        answer = vars(row)["answer"]
        customer, moment = [row.customer_id, self.name_of(row)], row.scoring.as_of.isoformat()
        if not answer["items"]:
            return [[*customer, "", "", "", "", "", answer["note"], moment]]
        return [
            [
                *customer,
                rank,
                item["product"],
                item["name"],
                item["score"],
                " ".join(item["reasons"]),
                answer["note"],
                moment,
            ]
            for rank, item in enumerate(answer["items"], start=1)
        ]


register(RecommendationSet, RecommenderWorklist)
