"""Errors outside any view of ours: problem+json below `/api/`, Django's pages elsewhere."""

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.translation import gettext as _
from django.views import defaults

from crm_agents.api.problems import CONTENT_TYPE, Problem, problem_body


def _answer(
    request: HttpRequest, status: int, detail: str, page: Callable[..., HttpResponse], *args: Any
) -> HttpResponse:
    if not request.path.startswith("/api/"):
        return page(request, *args)
    body = problem_body(Problem(status, detail), request)
    return JsonResponse(body, status=status, content_type=CONTENT_TYPE)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    return _answer(request, 400, _("The request cannot be read."), defaults.bad_request, exception)


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    return _answer(
        request, 403, _("You are not permitted to do this."), defaults.permission_denied, exception
    )


def page_not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    detail = _("There is no such address; the API is described at /api/v1/docs/.")
    return _answer(request, 404, detail, defaults.page_not_found, exception)


def server_error(request: HttpRequest) -> HttpResponse:
    detail = _("Something went wrong here. It was logged; try again later.")
    return _answer(request, 500, detail, defaults.server_error)
