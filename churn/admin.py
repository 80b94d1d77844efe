"""The worklist of churn warnings: the highest risk first."""

from collections.abc import Sequence
from typing import Any

from django.contrib.admin import display
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from churn.models import ChurnScore
from churn.selectors import score_answer
from crm_agents.admin.badges import badge
from crm_agents.admin.worklists import BY_SCORE, Worklist
from crm_agents.words import joined, percent
from crm_data.admin.sites import register


class ChurnWorklist(Worklist):
    """Live churn warnings of the customers whom the user may see."""

    recipe = "churn"
    list_display = ("customer_link", "customer_number", "risk", "tier_badge", "trend_badge", "why")
    list_filter = ("tier", "trend")
    export_fields = (
        "customer_number",
        "customer_name",
        "score",
        "tier_label",
        "trend_label",
        "reasons",
        "as_of",
    )

    def prepare(self, rows: Sequence[Any]) -> None:
        super().prepare(rows)
        for row in rows:
            vars(row)["answer"] = score_answer(row)

    @display(description=_("risk"), ordering=BY_SCORE)
    def risk(self, row: ChurnScore) -> str:
        return "–" if row.score is None else percent(row.score)

    @display(description=_("tier"), ordering="tier")
    def tier_badge(self, row: ChurnScore) -> SafeString:
        return badge(row.tier, row.get_tier_display())

    @display(description=_("trend"), ordering="trend")
    def trend_badge(self, row: ChurnScore) -> SafeString:
        return badge(row.trend, row.get_trend_display())

    @display(description=_("why"))
    def why(self, row: ChurnScore) -> str:
        answer = vars(row)["answer"]
        return joined(entry["text"] for entry in [*answer["reasons"][:1], *answer["missing"]])

    @display(description=_("tier"))
    def tier_label(self, row: ChurnScore) -> str:
        return row.get_tier_display()

    @display(description=_("trend"))
    def trend_label(self, row: ChurnScore) -> str:
        return row.get_trend_display()

    @display(description=_("reasons"))
    def reasons(self, row: ChurnScore) -> str:
        answer = vars(row)["answer"]
        words = [f"{reason['text']} ({reason['effect']})" for reason in answer["reasons"]]
        return joined([*words, *(entry["text"] for entry in answer["missing"])])


register(ChurnScore, ChurnWorklist)
