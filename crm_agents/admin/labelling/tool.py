"""The way from an agent's page to its label sets, and the page that makes one."""

from typing import TYPE_CHECKING, Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path
from django.utils.translation import gettext as _

from crm_agents.admin.labelling.forms import LabelSetForm, initial_of, ready_made
from crm_agents.admin.labelling.pages import ANNOTATE, MANAGE
from crm_agents.admin.tools import Link
from crm_agents.models import Agent, LabelSet

if TYPE_CHECKING:
    from crm_agents.admin.base import AgentsAdmin


class LabelsTool:
    def urls(self, admin: "AgentsAdmin") -> list[URLPattern]:
        def view(request: HttpRequest, pk: int) -> HttpResponse:
            return _new(admin, request, pk)

        wrapped = admin.admin_site.admin_view(view)
        return [path("<int:pk>/labels/new/", wrapped, name="crm_agents_agent_new_labels")]

    def links(self, admin: "AgentsAdmin", request: HttpRequest, row: Any) -> list[Link]:
        manages = request.user.has_perm(MANAGE)
        if not admin.admin_site.is_registered(LabelSet) or not (manages or request.user.has_perm(ANNOTATE)):
            return []
        listed = f"{admin.url('crm_agents_labelset_changelist')}?agent__id__exact={row.pk}"
        links = [Link(_("Labels"), listed)]
        if manages:
            links.append(Link(_("New label set"), admin.url("crm_agents_agent_new_labels", row.pk)))
        return links


def _new(admin: "AgentsAdmin", request: HttpRequest, pk: int) -> HttpResponse:
    """Show the form of a new set, filled in from a ready-made one where asked, or make the set."""
    from crm_agents.admin.base import require

    require(request, MANAGE)
    agent = Agent.objects.filter(pk=pk).first()
    if agent is None:
        raise Http404(_("There is no agent %s.") % pk)
    chosen = request.GET.get("ready", "0")
    form = LabelSetForm(request.POST if request.method == "POST" else None, initial=initial_of(agent, chosen))
    if request.method == "POST" and form.is_valid():
        made = form.create(agent, request.user)
        if made is not None:
            messages.success(request, _("The label set is made. Fill its queue next."))
            return HttpResponseRedirect(admin.url_of(made))
    return admin.page(
        request,
        "crm_agents/labelling/new.html",
        title=_("New label set"),
        crumbs=[(str(agent), admin.url_of(agent))],
        form=form,
        ready=ready_made(agent),
        chosen=chosen,
        back=admin.url_of(agent),
    )
