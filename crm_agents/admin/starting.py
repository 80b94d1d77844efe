"""The page that starts a run: its settings, and what else can be done with them."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.translation import gettext as _

from crm_agents.admin.base import require
from crm_agents.admin.forms import SettingsForm, StartForm
from crm_agents.admin.wording import agent_title
from crm_agents.models import Agent, Purpose, TrainingRun
from crm_agents.recipes import get_recipe
from crm_agents.services.runs import RunAlreadyActive, start_run
from crm_agents.settings_file import all_settings, write_yaml
from handoff.errors import HandoffError

if TYPE_CHECKING:
    from crm_agents.admin.base import AgentsAdmin

MANAGE_RUNS = "crm_agents.manage_runs"


def start_page(admin: "AgentsAdmin", request: HttpRequest, pk: int) -> HttpResponse:
    """Show the form of a run's settings; start the run or a range test, or write the settings as YAML."""
    require(request, MANAGE_RUNS)
    agent: Agent = admin.found(request, pk)
    require_recipe(agent)
    origin = _origin(request, agent)
    try:
        form = StartForm(request.POST or None, agent=agent, begin=settings_from(origin))
    except HandoffError as error:
        messages.error(request, str(error))
        return HttpResponseRedirect(admin.url_of(agent))
    if request.method == "POST" and form.is_valid():
        answer = _do(admin, request, agent, form)
        if answer is not None:
            return answer
    return admin.page(
        request,
        "crm_agents/start.html",
        title=_("Start a run"),
        crumbs=[(agent_title(agent), admin.url_of(agent))],
        agent=agent,
        form=form,
        origin=_("With the settings of an earlier run, which can be changed here.") if origin else "",
        origin_url=admin.url_of(origin) if origin else "",
        back=admin.url_of(agent),
    )


def settings_from(run: TrainingRun | None) -> dict[str, Any] | None:
    """Return the settings to begin with: a run's own, with what its range test suggests."""
    if run is None:
        return None
    suggested = run.report.get("suggested") if run.purpose == Purpose.RANGE_TEST else None
    return {**run.config, **({"learning_rate": suggested} if suggested else {})}


def require_recipe(agent: Agent) -> None:
    """Raise Http404 where no installed app registers the agent."""
    try:
        get_recipe(agent.name)
    except LookupError as error:
        raise Http404(_("No installed app registers the agent %s.") % agent.name) from error


def yaml_download(agent: Agent, overrides: Mapping[str, Any]) -> HttpResponse:
    """Answer with every setting as a file that `manage.py agent train --config` reads."""
    text = write_yaml(agent, all_settings(agent, overrides))
    name = f"{agent.name}.yaml"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return HttpResponse(text, content_type="application/yaml", headers=headers)


def _origin(request: HttpRequest, agent: Agent) -> TrainingRun | None:
    """Return the run whose settings the form is to begin with (?from=…)."""
    wanted = request.GET.get("from", "")
    if not wanted:
        return None
    try:
        return agent.runs.filter(pk=UUID(wanted)).first()
    except ValueError:
        return None


def _do(admin: "AgentsAdmin", request: HttpRequest, agent: Agent, form: StartForm) -> HttpResponse | None:
    """Do what the pressed button says; None where the form has to be shown again."""
    if request.POST.get("do") == "yaml":
        return yaml_download(agent, form.overrides)
    purpose = Purpose.RANGE_TEST if request.POST.get("do") == "range" else Purpose.TRAIN
    return begin(admin, request, agent, form, purpose, publish=form.cleaned_data["publish"])


def begin(
    admin: "AgentsAdmin",
    request: HttpRequest,
    agent: Agent,
    form: SettingsForm,
    purpose: Purpose,
    *,
    publish: bool,
) -> HttpResponse | None:
    """Start the run and go to its page; None where the form has to be shown again."""
    try:
        run = start_run(agent, user=request.user, config=form.overrides, publish=publish, purpose=purpose)
    except RunAlreadyActive as error:
        messages.warning(request, str(error))
        return HttpResponseRedirect(admin.url_of(error.run))
    except HandoffError as error:
        form.add_handoff_error(error)
        return None
    messages.success(request, _("The run was started."))
    return HttpResponseRedirect(admin.url_of(run))
