"""The base of every REST view: JSON in and out, problems as errors, permissions, throttles, paging."""

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from django.conf import settings
from django.db.models import Model, QuerySet
from django.http import Http404
from django.utils.functional import cached_property
from django.utils.translation import gettext as _
from rest_framework import exceptions, serializers
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.parsers import BaseParser, JSONParser
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse
from rest_framework.views import APIView

from crm_agents.api.paging import after_cursor, cursor_of
from crm_agents.api.permissions import HoldsPermission
from crm_agents.api.problems import Problem, problem_response
from crm_agents.api.schema import ApiSchema
from crm_agents.api.throttling import ScopeThrottle
from crm_agents.api.validation import StrictSerializer, validated
from crm_agents.models import Agent
from crm_agents.recipes import get_recipe
from crm_agents.services.agents import get_agent
from crm_data.selectors import CustomerRecord, get_customer, get_source

LONGEST_KEY = 64  # characters of a customer's id in the score tables


class CarefulJSONParser(JSONParser):
    """JSON whose nesting cannot exhaust the interpreter's stack."""

    def parse(
        self, stream: Any, media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        try:
            return super().parse(stream, media_type, parser_context)
        except RecursionError as error:
            raise exceptions.ParseError(_("The JSON is nested too deeply.")) from error


class OnlyJSON(BaseContentNegotiation):
    """There is one representation, so what the client would rather have is not asked."""

    def select_parser(self, request: Request, parsers: Any) -> BaseParser | None:
        content_type = (request.content_type or "").partition(";")[0].strip().lower()
        return next((parser for parser in parsers if parser.media_type == content_type), None)

    def select_renderer(
        self, request: Request, renderers: Any, format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        return renderers[0], renderers[0].media_type


class ApiView(APIView):
    """Authentication and the first permissions come from the host's DRF settings.

    `required_permissions` names one codename for each method; `throttle_scopes` likewise a scope.
    """

    required_permissions: ClassVar[dict[str, str]] = {}
    throttle_scopes: ClassVar[dict[str, str]] = {"GET": "crm_agents.read", "POST": "crm_agents.write"}
    tag: ClassVar[str] = ""

    renderer_classes = [JSONRenderer]
    parser_classes = [CarefulJSONParser]
    content_negotiation_class = OnlyJSON
    throttle_classes = [ScopeThrottle]
    http_method_names = ["get", "head", "post"]
    schema = ApiSchema()

    @property
    def throttle_scope(self) -> str | None:
        method = "GET" if self.request.method == "HEAD" else str(self.request.method)
        return self.throttle_scopes.get(method)

    @property
    def tenant(self) -> str:
        """The tenant that is asked about; hosts with one company have the unnamed one."""
        return ""

    def get_permissions(self) -> list[Any]:
        return [*super().get_permissions(), HoldsPermission()]

    def get_exception_handler(self) -> Any:
        return problem_response

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        if limit is not None and int(request.META.get("CONTENT_LENGTH") or 0) > limit:
            raise Problem(
                413, _("The body is larger than %(limit)d bytes; send it in parts.") % {"limit": limit}
            )
        if any(isinstance(value, str) and not _may_be_key(value) for value in kwargs.values()):
            raise Http404

    def query(self, serializer: type[StrictSerializer]) -> dict[str, Any]:
        """Return the validated query parameters. Raises InvalidInput, for unknown ones too."""
        return validated(serializer, self.request.query_params.dict())

    def body(self, serializer: type[StrictSerializer]) -> dict[str, Any]:
        """Return the validated body. Raises InvalidInput, for unknown members too."""
        return validated(serializer, self.request.data)

    def customer(self, customer_id: str) -> CustomerRecord:
        """Return a customer of the user. Raises CustomerNotFound (404) for foreign and absent ones alike."""
        return get_customer(self.request.user, customer_id, tenant=self.tenant)

    def agent(self, name: str) -> Agent:
        """Return a registered agent. Raises Http404 for any other name."""
        try:
            get_recipe(name)
        except LookupError as error:
            raise Problem(404, str(error)) from error
        return get_agent(name, tenant=self.tenant)

    @cached_property
    def _namespace(self) -> str:
        match = self.request.resolver_match
        return match.namespace if match else "crm_agents_api"

    def url(self, name: str, /, **kwargs: Any) -> str:
        """Return the absolute URL of an endpoint, wherever the host has mounted them."""
        return reverse(f"{self._namespace}:{name}", kwargs=kwargs, request=self.request)

    def page(
        self,
        rows: QuerySet[Any],
        write: type[serializers.BaseSerializer[Any]] | Callable[[list[Any]], list[Any]],
        *,
        query: Mapping[str, Any],
        ordering: tuple[str, ...],
    ) -> Response:
        """Answer one page: `limit` rows after `cursor`, and the URL of the next page where there is one.

        `write` makes JSON values of the page's rows: a serializer class, or a function of them all.
        """
        with get_source().scope(self.tenant):
            found: list[Model] = list(after_cursor(rows, query["cursor"], ordering)[: query["limit"] + 1])
        shown = found[: query["limit"]]
        if isinstance(write, type):
            results = write(shown, many=True, context={"view": self}).data
        else:
            results = write(shown)
        more = len(found) > len(shown)
        return Response({"results": results, "next": self._next(shown[-1], ordering) if more else None})

    def _next(self, last: Model, ordering: tuple[str, ...]) -> str:
        params = self.request.query_params.copy()
        params["cursor"] = cursor_of(last, ordering)
        return f"{self.request.build_absolute_uri(self.request.path)}?{params.urlencode()}"


def _may_be_key(value: str) -> bool:
    return len(value) <= LONGEST_KEY and "\x00" not in value
