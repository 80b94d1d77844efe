"""The description of the API as OpenAPI, and as a page to try it on; both need a log-in, like the rest."""

from typing import Any

from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views import View
from drf_spectacular.views import SpectacularJSONAPIView
from rest_framework.views import APIView

from crm_agents.api.base import OnlyJSON
from crm_agents.api.description import DESCRIPTION
from crm_agents.api.problems import problem_response


class SchemaView(SpectacularJSONAPIView):
    """Describes these endpoints alone, whatever else the host serves."""

    permission_classes = APIView.permission_classes
    content_negotiation_class = OnlyJSON
    custom_settings = DESCRIPTION

    def get_exception_handler(self) -> Any:
        return problem_response


class DocsView(View):
    """Swagger UI from this site's own static files; no inline script, so a strict CSP may stay."""

    def get(self, request: HttpRequest) -> HttpResponse:
        if not request.user.is_authenticated:
            return redirect_to_login(request.get_full_path())
        namespace = request.resolver_match.namespace if request.resolver_match else "crm_agents_api"
        return render(request, "crm_agents/api_docs.html", {"schema_url": reverse(f"{namespace}:schema")})
