"""`Idempotency-Key`: a write that is sent twice is done once and answered twice.

The claim of a key is committed first, so that a second request sees it; the write and its answer are
committed together. A claim without an answer therefore never hides a write that was done: when it is
old, its process has died, and the next request takes it over. A request that fails gives its key free.
"""

import datetime as dt
import hashlib
import json
from collections.abc import Callable
from functools import wraps
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from crm_agents.api.problems import Problem, conflict, refused
from crm_agents.models import IdempotentRequest

KEPT = dt.timedelta(hours=24)
ABANDONED = dt.timedelta(seconds=60)
LONGEST = 200
REPLAYED_HEADERS = ("Location",)

Handler = Callable[..., Response]


def idempotent(handler: Handler) -> Handler:
    """Let a view's method honour `Idempotency-Key`; without the header it runs as it is."""

    @wraps(handler)
    def handle(view: Any, request: Request, *args: Any, **kwargs: Any) -> Response:
        key = request.headers.get("Idempotency-Key")
        if key is None:
            return handler(view, request, *args, **kwargs)
        if not 0 < len(key) <= LONGEST or not key.isascii() or not key.isprintable():
            raise refused("Idempotency-Key", key, _("Send 1 to 200 printable ASCII characters."))
        _forget_expired()
        claim = _claim(request, key)
        if claim.status is not None:
            return _replayed(claim)
        try:
            with transaction.atomic():
                response = handler(view, request, *args, **kwargs)
                _keep(claim, response)
        except BaseException:
            _mine(claim).delete()
            raise
        return response

    return handle


def _claim(request: Request, key: str) -> IdempotentRequest:
    """Return a new claim, or the finished one of the first request. Raises Problem 409 or 422."""
    body = json.dumps(request.data, sort_keys=True)
    user: Any = request.user
    fresh = IdempotentRequest(
        user=user,
        key=key,
        path=request.path[:300],
        request_sha256=hashlib.sha256(
            f"{request.get_full_path()}\n{body}".encode("utf-8", "replace")
        ).hexdigest(),
    )
    try:
        with transaction.atomic():
            fresh.save(force_insert=True)
    except IntegrityError:
        return _claimed_before(fresh)
    return fresh


def _claimed_before(fresh: IdempotentRequest) -> IdempotentRequest:
    known = IdempotentRequest.objects.filter(user_id=fresh.user_id, key=fresh.key, path=fresh.path).first()
    if known is not None and known.request_sha256 != fresh.request_sha256:
        detail = _("This Idempotency-Key was used for another body; use a new key for a new write.")
        raise Problem(422, detail, kind="idempotency-key-reused", title=_("Key used for another request"))
    if known is not None and known.status is not None:
        return known
    if known is not None and _take_over(known):
        return known
    raise conflict(
        "request-in-progress",
        _("The first request is still at work"),
        _("A request with this Idempotency-Key is being worked on; send it again in a moment."),
        headers={"Retry-After": "1"},
    )


def _take_over(known: IdempotentRequest) -> bool:
    """Make an abandoned claim ours; at most one of several requests can."""
    if known.created_at > timezone.now() - ABANDONED:
        return False
    abandoned, known_at = _mine(known), timezone.now()
    if not abandoned.update(created_at=known_at):
        return False
    known.created_at = known_at
    return True


def _mine(claim: IdempotentRequest) -> Any:
    """The claim, as long as nobody has taken it over."""
    return IdempotentRequest.objects.filter(pk=claim.pk, created_at=claim.created_at, status=None)


def _keep(claim: IdempotentRequest, response: Response) -> None:
    body = json.loads(JSONRenderer().render(response.data) or b"null")
    headers = {name: response[name] for name in REPLAYED_HEADERS if name in response}
    kept = _mine(claim).update(status=response.status_code, response={"body": body, "headers": headers})
    if not kept:  # raised inside the transaction, so that the write is undone
        raise conflict(
            "request-in-progress",
            _("The first request is still at work"),
            _("This request took so long that a repeat of it took over; send it again for the answer."),
        )


def _replayed(known: IdempotentRequest) -> Response:
    kept = known.response or {}
    headers = {**kept.get("headers", {}), "Idempotent-Replayed": "true"}
    return Response(kept.get("body"), status=known.status, headers=headers)


def _forget_expired() -> None:
    IdempotentRequest.objects.filter(created_at__lt=timezone.now() - KEPT).delete()
