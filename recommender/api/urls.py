from django.urls import path

from recommender.api.views import RecommendationsView

urlpatterns = [
    path(
        "customers/<str:customer_id>/recommendations/",
        RecommendationsView.as_view(),
        name="recommender-customer",
    ),
]
