from django.db import models
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
        indexes = [models.Index(fields=["scoring", "-score"], name="crm_agents_recommender_score")]
