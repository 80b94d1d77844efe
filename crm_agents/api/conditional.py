"""`ETag` and `If-None-Match`: a client that holds the answer already is told so, and sent nothing."""

import hashlib

from django.utils.cache import get_conditional_response, patch_cache_control, patch_vary_headers
from django.utils.http import quote_etag
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from crm_agents.models import Agent


def conditional(request: Request, response: Response, *agents: Agent) -> Response:
    """Return `response` with its ETag, or 304 where the client's `If-None-Match` names it.

    The tag changes with every published set of scores and with whatever else is in the answer: names
    of the CRM, feedback, the reader's language. Caches must ask each time, since what a user may see
    can change at any time.
    """
    live = " ".join(str(agent.live_scoring_id) for agent in agents)
    seen = hashlib.sha256(f"{live}\n".encode())
    seen.update(JSONRenderer().render(response.data))
    response["ETag"] = quote_etag(seen.hexdigest()[:32])
    patch_cache_control(response, private=True, no_cache=True)
    patch_vary_headers(response, ["Accept-Language", "Authorization", "Cookie"])
    if get_conditional_response(request._request, etag=response["ETag"]) is None:
        return response
    headers = {name: response[name] for name in ("ETag", "Cache-Control", "Vary")}
    return Response(status=304, headers=headers)
