"""The links to these pages on an agent's and on a version's page."""

from collections.abc import Callable
from functools import partial

from django.contrib import messages
from django.http import HttpRequest, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.urls import URLPattern, path
from django.utils.translation import gettext as _

from crm_agents.admin.badges import alert_count
from crm_agents.admin.base import AgentsAdmin, require
from crm_agents.admin.tools import Link
from crm_agents.admin.watching.course import watching_view
from crm_agents.admin.watching.schedule import MANAGE, schedule_view
from crm_agents.admin.watching.shadow import PROMOTE, end_view, shadow_view
from crm_agents.folders import artifact_folder, artifact_root
from crm_agents.models import Agent, Alert, ModelVersion
from crm_agents.zipping import zip_response
from handoff.artifact import check_artifact
from handoff.errors import HandoffError

View = Callable[[AgentsAdmin, HttpRequest, int], HttpResponseBase]


def _mounted(admin: AgentsAdmin, route: str, view: View, name: str) -> URLPattern:
    bound: Callable[..., HttpResponseBase] = partial(view, admin)
    return path(route, admin.admin_site.admin_view(bound), name=name)


class WatchingTool:
    """ "Watching" and "Schedule" on an agent's page."""

    def urls(self, admin: AgentsAdmin) -> list[URLPattern]:
        return [
            _mounted(admin, "<int:pk>/watching/", watching_view, "crm_agents_agent_watching"),
            _mounted(admin, "<int:pk>/schedule/", schedule_view, "crm_agents_agent_schedule"),
        ]

    def links(self, admin: AgentsAdmin, request: HttpRequest, row: Agent) -> list[Link]:
        opened = Alert.objects.filter(agent=row, closed_at=None).count()
        note = alert_count(opened) if opened else ""
        found = [Link(_("Watching"), admin.url("crm_agents_agent_watching", row.pk), note, "bad")]
        if request.user.has_perm(MANAGE):
            found.append(Link(_("Schedule"), admin.url("crm_agents_agent_schedule", row.pk)))
        return found


class ShadowTool:
    """ "Shadow" and the artifact's download on a version's page."""

    def urls(self, admin: AgentsAdmin) -> list[URLPattern]:
        return [
            _mounted(admin, "<int:pk>/shadow/", shadow_view, "crm_agents_modelversion_shadow"),
            _mounted(admin, "<int:pk>/shadow/end/", end_view, "crm_agents_modelversion_shadow_end"),
            _mounted(admin, "<int:pk>/artifact.zip", artifact_view, "crm_agents_modelversion_artifact"),
        ]

    def links(self, admin: AgentsAdmin, request: HttpRequest, row: ModelVersion) -> list[Link]:
        if not request.user.has_perm(PROMOTE):
            return []
        found = [
            Link(_("Download the artifact (zip)"), admin.url("crm_agents_modelversion_artifact", row.pk))
        ]
        shadow = admin.url("crm_agents_modelversion_shadow", row.pk)
        if row.agent.shadow_version_id == row.pk:
            found.insert(0, Link(_("Beside the live version"), shadow, _("in the shadow"), "calm"))
        elif row.agent.live_version_id != row.pk:
            found.insert(0, Link(_("Score in the shadow"), shadow))
        return found


def artifact_view(admin: AgentsAdmin, request: HttpRequest, pk: int) -> HttpResponseBase:
    """Send the version's folder as a zip."""
    require(request, PROMOTE)
    version: ModelVersion = admin.found(request, pk)
    folder = artifact_folder(version)
    try:
        check_artifact(folder, root=artifact_root(), sha256=version.artifact_sha256)
    except HandoffError as error:
        messages.error(request, str(error))
        return HttpResponseRedirect(admin.url_of(version))
    return zip_response(artifact_folder(version), f"{version.agent.name}-v{version.number}")
