from django.urls import path

from recommender.api.products import ProductBundlesView, ProductCustomersView, ProductSubstitutesView
from recommender.api.rules import RuleDetailView, RuleListView, RulePreviewView
from recommender.api.views import RecommendationsView

urlpatterns = [
    path(
        "customers/<str:customer_id>/recommendations/",
        RecommendationsView.as_view(),
        name="recommender-customer",
    ),
    path(
        "products/<str:product_id>/customers/",
        ProductCustomersView.as_view(),
        name="recommender-product-customers",
    ),
    path(
        "products/<str:product_id>/substitutes/",
        ProductSubstitutesView.as_view(),
        name="recommender-product-substitutes",
    ),
    path(
        "products/<str:product_id>/bundles/",
        ProductBundlesView.as_view(),
        name="recommender-product-bundles",
    ),
    path("recommender/rules/", RuleListView.as_view(), name="recommender-rules"),
    path("recommender/rules/preview/", RulePreviewView.as_view(), name="recommender-rules-preview"),
    path("recommender/rules/<str:rule_id>/", RuleDetailView.as_view(), name="recommender-rule"),
]
