"""Errors as `application/problem+json` (RFC 9457), whatever went wrong and wherever it did."""

import json
import logging
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from django.core.exceptions import PermissionDenied, RequestDataTooBig
from django.http import Http404, HttpRequest
from django.utils.translation import gettext as _
from rest_framework import exceptions
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import set_rollback

from crm_data.selectors import CustomerNotFound

logger = logging.getLogger(__name__)

CONTENT_TYPE = "application/problem+json"
SHOWN_VALUE = 200  # characters of a refused value that are repeated to its sender


@dataclass(frozen=True)
class FieldError:
    """One refused value: where it stood, what it was, what to send instead."""

    field: str
    value: Any
    message: str


class Problem(exceptions.APIException):
    """An answer other than success. `extra` are further members of the problem object."""

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        kind: str = "",
        title: str = "",
        errors: Iterable[FieldError] = (),
        headers: Mapping[str, str] | None = None,
        **extra: Any,
    ) -> None:
        super().__init__(detail)
        self.status_code = status
        self.type = f"urn:problem:crm-agents:{kind}" if kind else "about:blank"
        self.title = title or HTTPStatus(status).phrase
        self.errors = list(errors)
        self.headers = dict(headers or {})
        self.extra = extra


class InvalidInput(Problem):
    """400: values of the body or of the query that were refused, each named."""

    def __init__(self, errors: Iterable[FieldError]) -> None:
        super().__init__(
            400,
            _("Some values were refused; nothing was changed."),
            kind="invalid-input",
            title=_("Invalid input"),
            errors=errors,
        )


def refused(field: str, value: Any, message: str) -> InvalidInput:
    return InvalidInput([FieldError(field, shown(value), message)])


def conflict(kind: str, title: str, detail: str, **extra: Any) -> Problem:
    return Problem(409, detail, kind=kind, title=title, **extra)


def shown(value: Any) -> Any:
    """Return `value` as it may be repeated in an answer: short, and text that can be encoded."""
    if isinstance(value, bool | int | float) or value is None:
        return value if len(repr(value)) <= SHOWN_VALUE else repr(value)[:SHOWN_VALUE] + "…"
    text = value if isinstance(value, str) else json.dumps(value, default=str, ensure_ascii=False)
    text = text.encode("utf-8", "replace").decode()
    return text if len(text) <= SHOWN_VALUE else text[:SHOWN_VALUE] + "…"


def field_errors(detail: Any, data: Any, path: str = "") -> Iterator[FieldError]:
    """Flatten the errors of a serializer, with the values of `data` that they speak of."""
    if isinstance(detail, Mapping):
        for key, inner in detail.items():
            at_top = key == "non_field_errors"
            yield from field_errors(inner, data if at_top else _entry(data, key), _join(path, key, at_top))
    elif isinstance(detail, list) and any(isinstance(item, Mapping) for item in detail):
        for index, inner in enumerate(detail):
            yield from field_errors(inner, _entry(data, index), _join(path, index, False))
    else:
        for message in detail if isinstance(detail, list) else [detail]:
            yield FieldError(path, shown(data), str(message))


def _join(path: str, key: object, at_top: bool) -> str:
    return path if at_top else f"{path}.{key}".lstrip(".")


def _entry(data: Any, key: Any) -> Any:
    if isinstance(data, Mapping):
        return data.get(key)
    if isinstance(data, list) and isinstance(key, int) and key < len(data):
        return data[key]
    return None


def problem_response(exc: Exception, context: dict[str, Any]) -> Response:
    """Answer any exception of a view; the exception handler of every view of ours."""
    set_rollback()
    return render_problem(as_problem(exc, context["request"]), context["request"])


def as_problem(exc: Exception, request: Request) -> Problem:
    if isinstance(exc, Problem):
        return exc
    if isinstance(exc, Http404 | CustomerNotFound):
        return Problem(404, _("There is nothing here that you may see."))
    if isinstance(exc, PermissionDenied):
        return Problem(403, str(exc) or _("You are not permitted to do this."))
    if isinstance(exc, RequestDataTooBig):
        return Problem(413, _("The body is too large; send it in smaller parts."))
    if isinstance(exc, exceptions.ValidationError):
        return InvalidInput(field_errors(exc.detail, None))
    if isinstance(exc, exceptions.APIException):
        return _of_framework(exc)
    logger.error("Internal error: %s", request.path, exc_info=exc, extra={"request": request._request})
    return Problem(500, _("Something went wrong here. It was logged; try again later."))


def _of_framework(exc: exceptions.APIException) -> Problem:
    headers: dict[str, str] = {}
    if challenge := getattr(exc, "auth_header", None):
        headers["WWW-Authenticate"] = challenge
    wait = getattr(exc, "wait", None)
    if wait is not None:
        headers["Retry-After"] = str(int(wait))
    return Problem(exc.status_code, str(exc.detail), headers=headers)


def problem_body(problem: Problem, request: HttpRequest | Request) -> dict[str, Any]:
    return {
        "type": problem.type,
        "title": problem.title,
        "status": problem.status_code,
        "detail": str(problem.detail),
        "instance": quote(request.path),
        "errors": [asdict(error) for error in problem.errors],
        **problem.extra,
    }


def render_problem(problem: Problem, request: HttpRequest | Request) -> Response:
    return Response(
        problem_body(problem, request),
        status=problem.status_code,
        headers=problem.headers,
        content_type=CONTENT_TYPE,
    )
