"""An agent's own settings: what every run of it begins with."""

from typing import TYPE_CHECKING, Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path
from django.utils.translation import gettext as _

from crm_agents.admin.base import require
from crm_agents.admin.forms import AgentSettingsForm
from crm_agents.admin.starting import require_recipe
from crm_agents.admin.tools import Link
from crm_agents.admin.wording import agent_title
from crm_agents.models import Agent
from crm_agents.services.settings import change_settings
from handoff.errors import HandoffError

if TYPE_CHECKING:
    from crm_agents.admin.base import AgentsAdmin

MANAGE_AGENTS = "crm_agents.manage_agents"


class SettingsTool:
    """Overrides of the recipe, kept with the agent."""

    def urls(self, admin: "AgentsAdmin") -> list[URLPattern]:
        def view(request: HttpRequest, pk: int) -> HttpResponse:
            return settings_page(admin, request, pk)

        wrapped = admin.admin_site.admin_view(view)
        return [path("<int:pk>/settings/", wrapped, name="crm_agents_agent_settings")]

    def links(self, admin: "AgentsAdmin", request: HttpRequest, row: Any) -> list[Link]:
        if not request.user.has_perm(MANAGE_AGENTS):
            return []
        return [Link(_("Settings"), admin.url("crm_agents_agent_settings", row.pk))]


def settings_page(admin: "AgentsAdmin", request: HttpRequest, pk: int) -> HttpResponse:
    """Show what the agent has of its own, or store it."""
    require(request, MANAGE_AGENTS)
    agent: Agent = admin.found(request, pk)
    require_recipe(agent)
    form = AgentSettingsForm(request.POST or None, agent=agent)
    if request.method == "POST" and form.is_valid() and _stored(request, agent, form):
        return HttpResponseRedirect(admin.url_of(agent))
    return admin.page(
        request,
        "crm_agents/agent_settings.html",
        title=_("Settings of %s") % agent,
        crumbs=[(agent_title(agent), admin.url_of(agent))],
        form=form,
        own=sorted(agent.config.items()),
        back=admin.url_of(agent),
    )


def _stored(request: HttpRequest, agent: Agent, form: AgentSettingsForm) -> bool:
    try:
        changed = change_settings(agent, form.overrides, user=request.user)
    except HandoffError as error:
        form.add_handoff_error(error)
        return False
    if changed:
        messages.success(request, _("The settings were changed. The next run begins with them."))
    else:
        messages.info(request, _("Nothing was changed."))
    return True
