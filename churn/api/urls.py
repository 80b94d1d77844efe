from django.urls import path

from churn.api.views import CustomerChurnView, WorklistView

urlpatterns = [
    path("customers/<str:customer_id>/churn/", CustomerChurnView.as_view(), name="churn-customer"),
    path("churn/", WorklistView.as_view(), name="churn-worklist"),
]
