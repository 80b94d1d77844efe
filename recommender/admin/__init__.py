"""The recommender's pages, on every configured admin site."""

from crm_data.admin.sites import register
from recommender.admin.rules import RuleAdmin
from recommender.admin.worklist import RecommenderWorklist
from recommender.models import RecommendationRule, RecommendationSet

register(RecommendationSet, RecommenderWorklist)
register(RecommendationRule, RuleAdmin)

__all__ = ["RecommenderWorklist", "RuleAdmin"]
