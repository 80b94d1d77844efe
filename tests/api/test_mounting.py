"""A host includes the API under a prefix, and even a namespace, of its own."""

from types import SimpleNamespace
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django.urls import include, path
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from crm_agents.api import urls
from crm_agents.api.base import ApiView
from crm_agents.recipes import Recipe


class HostView(APIView):
    """An endpoint of the host, in the same project."""

    def get(self, request: Request) -> Response:
        return Response({})


urlpatterns = [
    path("crm/", include(([path("v1/", include("crm_agents.api.urls"))], "host"))),
    path("host/", HostView.as_view()),
]


def test_links_follow_the_hosts_prefix_and_namespace(api: Any, customers: Any, settings: Any) -> None:
    settings.ROOT_URLCONF = __name__
    (first, _) = api.get("/crm/v1/customers/").json()["results"]
    assert first["url"] == "http://testserver/crm/v1/customers/C1/"
    assert api.get(first["url"]).status_code == 200
    assert b"/crm/v1/customers/" in api.get("/crm/v1/schema/").content


def test_the_description_holds_no_endpoint_of_the_host(api: Any, settings: Any) -> None:
    settings.ROOT_URLCONF = __name__
    content = api.get("/crm/v1/schema/").content
    assert b"/crm/v1/customers/" in content
    assert b"/host/" not in content


def test_a_host_that_lets_everyone_in_still_needs_the_permission(
    client: Any, customers: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ApiView, "permission_classes", [AllowAny])
    assert client.get("/api/v1/customers/").status_code == 401


def test_agents_bring_their_endpoints(monkeypatch: pytest.MonkeyPatch) -> None:
    assert sorted(str(pattern.name) for pattern in urls.agent_urls()) == [
        "churn-customer",
        "churn-worklist",
        "recommender-customer",
        "recommender-product-bundles",
        "recommender-product-customers",
        "recommender-product-substitutes",
        "recommender-rule",
        "recommender-rules",
        "recommender-rules-preview",
    ]
    monkeypatch.setattr(urls, "recipes", lambda: [SimpleNamespace(api_urlconf=Recipe.api_urlconf)])
    assert urls.agent_urls() == []


def test_two_endpoints_of_one_name_are_refused() -> None:
    twice = [*urls.agent_urls(), *urls.agent_urls()[:1]]
    with pytest.raises(ImproperlyConfigured, match="Two REST endpoints are named churn-customer: begin"):
        urls.refuse_double_names(twice)
