from django.db import models
from django.db.models import F
from django.utils.translation import gettext_lazy as _

from crm_agents.models import ScoreRow


class RecommendationSet(ScoreRow):
    """The products recommended to one customer, best first, as `payload["items"]`."""

    class Meta:
        verbose_name = _("recommendation")
        verbose_name_plural = _("recommendations")
        constraints = [
            models.UniqueConstraint(fields=["scoring", "customer_id"], name="crm_agents_recommender_once"),
        ]
        indexes = [
            models.Index(fields=["scoring", "-score"], name="crm_agents_recommender_score"),
            # The admin's list, where customers without an answer come last on every database.
            models.Index("scoring", F("score").desc(nulls_last=True), name="crm_agents_recommender_list"),
        ]
