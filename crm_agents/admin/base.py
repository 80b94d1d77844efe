"""What the agents' admin pages share: who may look, where URLs point, and rows that nobody edits."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import Model
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext as _

from crm_data.admin.export import ExportMixin
from crm_data.admin.paging import RoughPaginator

Text = str | Promise
Crumbs = Iterable[tuple[Text, str]]

if TYPE_CHECKING:
    AnyModelAdmin = admin.ModelAdmin[Any]
else:
    AnyModelAdmin = admin.ModelAdmin


class AgentsAdmin(AnyModelAdmin):
    """Read-only lists and pages; what may be done to a row is a button with its own permission.

    `viewing` names permissions that let a user look, besides Django's view permission of the model.
    """

    viewing: ClassVar[Sequence[str]] = ("crm_agents.view_scores",)
    show_full_result_count = False
    list_per_page = 50

    class Media:
        css: ClassVar = {"all": ["crm_agents/agents.css"]}

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return super().has_view_permission(request, obj) or any(map(request.user.has_perm, self.viewing))

    def has_module_permission(self, request: HttpRequest) -> bool:
        return super().has_module_permission(request) or any(map(request.user.has_perm, self.viewing))

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        titled = {"title": str(self.opts.verbose_name_plural).capitalize(), **(extra_context or {})}
        return super().changelist_view(request, titled)

    def url(self, name: str, *args: Any) -> str:
        """Reverse an admin URL on the site this page is on."""
        return reverse(f"admin:{name}", args=args, current_app=self.admin_site.name)

    def url_of(self, obj: Model) -> str:
        """Return the page of a row of any model that this site has registered."""
        return self.url(f"{obj._meta.app_label}_{obj._meta.model_name}_change", obj.pk)

    def found(self, request: HttpRequest, object_id: object) -> Any:
        """Return the row. Raises PermissionDenied for who may not look, Http404 where there is none."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        obj = self.get_object(request, str(object_id))
        if obj is None:
            raise Http404(
                _("There is no %(what)s %(id)s.") % {"what": self.opts.verbose_name, "id": object_id}
            )
        return obj

    def page(
        self, request: HttpRequest, template: str, *, title: Text, crumbs: Crumbs = (), **context: Any
    ) -> TemplateResponse:
        """Answer with a page that extends `crm_agents/base.html`."""
        request.current_app = self.admin_site.name  # read by {% url %}
        label, model = self.opts.app_label, self.opts.model_name
        first = [
            (self.opts.app_config.verbose_name, self.url("app_list", label)),
            (self.opts.verbose_name_plural, self.url(f"{label}_{model}_changelist")),
        ]
        return TemplateResponse(
            request,
            template,
            {
                **self.admin_site.each_context(request),
                "opts": self.opts,
                "title": title,
                "crumbs": [*first, *crumbs],
                **context,
            },
        )


class RecordAdmin(ExportMixin, AgentsAdmin):
    """The same for a table that may grow long: no page counts all of it, and the list can be exported."""

    paginator = RoughPaginator
    show_facets = admin.ShowFacets.NEVER  # facets count


def require(request: HttpRequest, permission: str) -> None:
    """Raise PermissionDenied unless the user has `permission`."""
    if not request.user.has_perm(permission):
        raise PermissionDenied
