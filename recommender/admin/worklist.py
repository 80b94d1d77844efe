"""The worklist of recommendations: the customers for whom the agent is surest first."""

from collections.abc import Iterator, Sequence
from typing import Any

from django.contrib.admin import display
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from crm_agents.admin.badges import badge
from crm_agents.admin.worklists import BY_SCORE, Worklist
from crm_agents.words import money, number
from recommender.admin.products import product_url, product_urls
from recommender.choosing.offer import ALIKE, POPULARITY
from recommender.models import RecommendationSet
from recommender.selectors import set_answers

EXPORTED = 10


class RecommenderWorklist(Worklist):
    """Live recommendations for the customers whom the user may see."""

    recipe = "recommender"
    change_list_template = "crm_agents_recommender/worklist.html"
    list_display = (
        "customer_link",
        "customer_number",
        "best",
        "why",
        "next_best",
        "source_badge",
        "worth",
        "sureness",
    )
    export_fields = (
        "customer_number",
        "customer_name",
        "rank",
        "product",
        "product_name",
        "item_score",
        "item_value",
        "reasons",
        "note",
        "as_of",
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
        if not items:
            return "–"
        url = product_url(self.admin_site, items[0]["product"], row.tenant)
        return format_html('<a href="{}">{}</a>', url, items[0]["name"])

    @display(description=_("why"))
    def why(self, row: RecommendationSet) -> str:
        answer = vars(row)["answer"]
        reasons = answer["items"][0]["reasons"] if answer["items"] else []
        return " ".join([*(reason["text"] for reason in reasons[:1]), answer["note"]]).strip()

    @display(description=_("then"))
    def next_best(self, row: RecommendationSet) -> str:
        return ", ".join(item["name"] for item in vars(row)["answer"]["items"][1:3])

    @display(description=_("source"))
    def source_badge(self, row: RecommendationSet) -> SafeString:
        source = vars(row)["answer"]["source"]
        if source == ALIKE:
            return badge("warn", _("similar customers"))
        return badge("warn", _("popularity")) if source == POPULARITY else badge("calm", _("model"))

    @display(description=_("score"), ordering=BY_SCORE)
    def sureness(self, row: RecommendationSet) -> str:
        return "–" if row.score is None else number(row.score, 3)

    @display(description=_("expected value"))
    def worth(self, row: RecommendationSet) -> str:
        """What the listed products may bring, together: each one's chance times its margin or price."""
        answer = vars(row)["answer"]
        values = [item["value"] for item in answer["items"] if item["value"] is not None]
        return money(sum(values), answer["currency"]) if values else "–"

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        links = {
            "products_url": self.url("crm_agents_recommender_products"),
            "rules_url": self.url("crm_agents_recommender_recommendationrule_changelist"),
        }
        return super().changelist_view(request, {**links, **(extra_context or {})})

    def get_urls(self) -> list[URLPattern]:
        return [*product_urls(self), *super().get_urls()]

    # The exported file has a line for each product, or one that says why there is none.

    def export_lines(self, row: Any) -> Iterator[Any]:
        for rank, item in enumerate(vars(row)["answer"]["items"] or [{}], start=1):
            vars(row)["line"] = {**item, "rank": rank if item else ""}
            yield row

    @display(description=_("rank"))
    def rank(self, row: RecommendationSet) -> Any:
        return vars(row)["line"]["rank"]

    @display(description=_("product number"))
    def product(self, row: RecommendationSet) -> str:
        return str(vars(row)["line"].get("product", ""))

    @display(description=_("product"))
    def product_name(self, row: RecommendationSet) -> str:
        return str(vars(row)["line"].get("name", ""))

    @display(description=_("score"))
    def item_score(self, row: RecommendationSet) -> float | None:
        score: float | None = vars(row)["line"].get("score")
        return score

    @display(description=_("expected value"))
    def item_value(self, row: RecommendationSet) -> float | None:
        value: float | None = vars(row)["line"].get("value")
        return value

    @display(description=_("reasons"))
    def reasons(self, row: RecommendationSet) -> str:
        return " ".join(reason["text"] for reason in vars(row)["line"].get("reasons", []))

    @display(description=_("note"))
    def note(self, row: RecommendationSet) -> str:
        return str(vars(row)["answer"]["note"])
