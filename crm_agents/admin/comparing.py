"""Versions side by side: from the list (two to four of them), or one with the live one."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path
from django.utils.translation import gettext as _

from crm_agents.admin.badges import verdict_badge
from crm_agents.admin.base import AgentsAdmin, require
from crm_agents.admin.tools import Link
from crm_agents.cards.comparing import side_by_side
from crm_agents.models import ModelVersion
from crm_agents.services.comparing import NotComparable, chosen_versions, compare, reference_of

NAME = "crm_agents_modelversion_compare"


class CompareTool:
    """ "Compare with live" on a version's page, and the page that the list's action leads to."""

    def urls(self, admin: AgentsAdmin) -> list[URLPattern]:
        def view(request: HttpRequest) -> HttpResponse:
            return compare_view(admin, request)

        return [path("compare/", admin.admin_site.admin_view(view), name=NAME)]

    def links(self, admin: AgentsAdmin, request: HttpRequest, row: ModelVersion) -> list[Link]:
        live = row.agent.live_version_id
        if live is None or live == row.pk:
            return []
        return [Link(_("Compare with the live version"), compare_url(admin, [live, row.pk]))]


def compare_url(admin: AgentsAdmin, keys: list[int]) -> str:
    return f"{admin.url(NAME)}?ids={','.join(map(str, keys))}"


def compare_view(admin: AgentsAdmin, request: HttpRequest) -> HttpResponse:
    """Show two to four versions of one agent; a choice that is none leads back to the list."""
    if not admin.has_view_permission(request):
        require(request, "crm_agents.view_scores")
    asked = request.GET.get("ids", "")
    keys = [int(part) for part in asked.split(",") if part.isascii() and part.isdecimal() and len(part) < 19]
    try:
        versions = chosen_versions(keys)
    except NotComparable as error:
        messages.error(request, str(error))
        return HttpResponseRedirect(admin.url("crm_agents_modelversion_changelist"))
    reference = reference_of(versions)
    return admin.page(
        request,
        "crm_agents/compare.html",
        title=_("Versions of %(agent)s side by side") % {"agent": versions[0].agent},
        heads=[
            (
                f"v{version.number}",
                admin.url_of(version),
                verdict_badge(version),
                version.agent.live_version_id == version.pk,
                version.pk == reference.pk,
                version.created_at,
            )
            for version in versions
        ],
        reference=reference,
        side=side_by_side(versions, compare(versions)),
    )
