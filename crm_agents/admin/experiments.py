"""“Does it work?”: the experiments of an agent, what they found, and the forms that start and stop them."""

from collections.abc import Callable
from functools import partial
from typing import Any

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.urls import URLPattern, path
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from crm_agents.admin.badges import badge
from crm_agents.admin.base import AgentsAdmin, require
from crm_agents.admin.tools import Link
from crm_agents.admin.wording import agent_title
from crm_agents.experiment_words import FIGURES, arm_names, cautions, percent, state, value, verdict
from crm_agents.models import Agent, Experiment, ExperimentKind, Treatment
from crm_agents.plots import render
from crm_agents.plots.ranges import Range, ranges
from crm_agents.services.experiments.starting import (
    DAYS,
    SHARES,
    BadExperiment,
    CannotExperiment,
    ExperimentAlreadyRunning,
    ExperimentHasEnded,
    is_measured,
    send,
    start_experiment,
    stop_experiment,
    treatments,
)
from crm_agents.services.runs import planned_config
from crm_agents.words import number
from crm_data.selectors import get_source
from handoff.errors import HandoffError

MANAGE = "crm_agents.manage_experiments"
PAGE = "crm_agents_agent_experiments"
SHOWN = 20

View = Callable[..., HttpResponse]


class ExperimentsTool:
    """ "Does it work?" on an agent's page."""

    def urls(self, admin: AgentsAdmin) -> list[URLPattern]:
        def mounted(route: str, view: View, name: str) -> URLPattern:
            return path(route, admin.admin_site.admin_view(partial(view, admin)), name=name)

        one = "<int:pk>/experiments/<int:experiment>"
        return [
            mounted("<int:pk>/experiments/", experiments_view, PAGE),
            mounted("<int:pk>/experiments/start/", start_view, f"{PAGE}_start"),
            mounted(f"{one}/measure/", measure_view, f"{PAGE}_measure"),
            mounted(f"{one}/stop/", stop_view, f"{PAGE}_stop"),
        ]

    def links(self, admin: AgentsAdmin, request: HttpRequest, row: Agent) -> list[Link]:
        going_on = Experiment.objects.filter(agent=row, ended_at=None).exists()
        return [Link(_("Does it work?"), admin.url(PAGE, row.pk), _("going on") if going_on else "", "calm")]


class StartForm(forms.Form):
    """An experiment to begin; the service checks the rest."""

    kind = forms.ChoiceField(label=gettext_lazy("Kind"), choices=ExperimentKind.choices)
    share = forms.FloatField(
        label=gettext_lazy("Share"),
        min_value=SHARES[0],
        max_value=SHARES[1],
        help_text=gettext_lazy(
            "0.1 is a tenth of the customers. They are the control group, or see version B."
        ),
    )
    treatment = forms.ChoiceField(
        label=gettext_lazy("The control group sees"),
        required=False,
        help_text=gettext_lazy("Left alone where two versions are compared."),
    )
    horizon_days = forms.IntegerField(
        label=gettext_lazy("Days"),
        min_value=DAYS[0],
        max_value=DAYS[1],
        help_text=gettext_lazy("It ends by itself after so many days, and all are shown the same again."),
    )

    def __init__(self, *args: Any, agent: Agent, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        offered = [(each, Treatment(each).label) for each in treatments(agent)]
        self.fields["treatment"].choices = offered  # type: ignore[attr-defined]
        self.fields["share"].initial = 0.1
        self.fields["horizon_days"].initial = _horizon(agent)


def experiments_view(admin: AgentsAdmin, request: HttpRequest, pk: int) -> HttpResponse:
    """Show every experiment of the agent, the newest first, and what it found."""
    agent: Agent = admin.found(request, pk)
    found = Experiment.objects.filter(agent=agent).select_related("agent", "version", "rival", "started_by")
    may_manage = request.user.has_perm(MANAGE)
    return admin.page(
        request,
        "crm_agents/experiments.html",
        title=_("Does it work?"),
        crumbs=[(agent_title(agent), admin.url_of(agent))],
        agent=agent,
        experiments=[_shown(admin, each) for each in found[:SHOWN]],
        may_manage=may_manage,
        start_url=admin.url(f"{PAGE}_start", agent.pk) if may_manage else "",
    )


def start_view(admin: AgentsAdmin, request: HttpRequest, pk: int) -> HttpResponse:
    """Ask what to try, or begin."""
    require(request, MANAGE)
    agent: Agent = admin.found(request, pk)
    form = StartForm(request.POST if request.method == "POST" else None, agent=agent)
    if request.method == "POST" and form.is_valid() and _started(request, agent, form):
        return HttpResponseRedirect(admin.url(PAGE, agent.pk))
    return admin.page(
        request,
        "crm_agents/confirm.html",
        title=_("Start an experiment with %s") % agent,
        crumbs=_crumbs(admin, agent),
        consequences=[
            _("A hash of each customer's number draws who is in the control group, or is shown version B."),
            _("Their pages, lists, exports and REST answers change at once, and say so."),
            _("Control customers are in no worklist while it goes on."),
            _("What everybody buys from now on is counted, whether anybody looked at a page or not."),
        ],
        form=form,
        harmless=True,
        button=_("Begin"),
        back=admin.url(PAGE, agent.pk),
    )


def stop_view(admin: AgentsAdmin, request: HttpRequest, pk: int, experiment: int) -> HttpResponse:
    """Ask, then show everybody the same again."""
    require(request, MANAGE)
    agent: Agent = admin.found(request, pk)
    row = _of(agent, experiment)
    if request.method != "POST" and row.is_running:
        return admin.page(
            request,
            "crm_agents/confirm.html",
            title=_("Stop the experiment?"),
            crumbs=[
                (agent_title(agent), admin.url_of(agent)),
                (_("Does it work?"), admin.url(PAGE, agent.pk)),
            ],
            consequences=[
                _("Everybody is shown the same again, at once."),
                _("What was bought until now is measured once more and kept. It cannot be taken up again."),
            ],
            button=_("Stop"),
            back=admin.url(PAGE, agent.pk),
        )
    try:
        stop_experiment(row, user=request.user)
    except ExperimentHasEnded as error:
        messages.warning(request, str(error))
    else:
        messages.success(request, _("The experiment was stopped."))
    return HttpResponseRedirect(admin.url(PAGE, agent.pk))


def measure_view(admin: AgentsAdmin, request: HttpRequest, pk: int, experiment: int) -> HttpResponse:
    """Have a worker measure it now."""
    if request.method != "POST":
        return HttpResponseNotAllowed(["POST"])
    require(request, MANAGE)
    agent: Agent = admin.found(request, pk)
    send(_of(agent, experiment))
    messages.success(request, _("A worker measures it now; load the page again in a minute."))
    return HttpResponseRedirect(admin.url(PAGE, agent.pk))


def _started(request: HttpRequest, agent: Agent, form: StartForm) -> bool:
    asked = form.cleaned_data
    if asked["kind"] == ExperimentKind.AB:
        asked["treatment"] = ""
    try:
        start_experiment(agent, user=request.user, **asked)
    except BadExperiment as error:
        form.add_error(error.field, str(error))
    except (CannotExperiment, ExperimentAlreadyRunning, HandoffError) as error:
        form.add_error(None, str(error))
    else:
        messages.success(request, _("The experiment has begun."))
        return True
    return False


def _of(agent: Agent, key: int) -> Experiment:
    found = Experiment.objects.filter(agent=agent, pk=key).select_related("agent").first()
    if found is None:
        raise Http404(_("There is no experiment %(id)s.") % {"id": key})
    return found


def _horizon(agent: Agent) -> int | None:
    try:
        return planned_config(agent, {}).horizon_days
    except (HandoffError, LookupError):
        return None


def _crumbs(admin: AgentsAdmin, agent: Agent) -> list[tuple[str, str]]:
    return [(agent_title(agent), admin.url_of(agent)), (_("Does it work?"), admin.url(PAGE, agent.pk))]


def _shown(admin: AgentsAdmin, experiment: Experiment) -> dict[str, Any]:
    first, second = arm_names(experiment)
    tone, sentence = verdict(experiment)
    figures = experiment.result.get("figures", {})
    one = (experiment.agent_id, experiment.pk)
    return {
        "row": experiment,
        "state": badge(*state(experiment)),
        "share": percent(experiment.share),
        "arms": (first, second),
        "tone": tone,
        "sentence": sentence,
        "cautions": cautions(experiment),
        "counts": [number(count) for count in experiment.result.get("customers", [])],
        "rows": [_row(name, figures[name]) for name in FIGURES if name in figures],
        "plot": _plot(experiment, figures),
        "measure_url": admin.url(f"{PAGE}_measure", *one) if is_measured(experiment) else "",
        "stop_url": admin.url(f"{PAGE}_stop", *one) if experiment.is_running else "",
    }


def _row(name: str, found: dict[str, Any]) -> dict[str, Any]:
    bounds = (found["relative_low"], found["relative_high"])
    known = None not in bounds
    return {
        "label": FIGURES[name],
        "first": value(name, found["first"], get_source().currency),
        "second": value(name, found["second"], get_source().currency),
        "relative": percent(found["relative"], sign=True) if known else "–",
        "low": percent(bounds[0], sign=True) if known else "–",
        "high": percent(bounds[1], sign=True) if known else "–",
        "detectable": percent(found["detectable"]) if found["detectable"] is not None else "–",
    }


def _plot(experiment: Experiment, figures: dict[str, Any]) -> SafeString | str:
    told = [(FIGURES[name], figures[name]) for name in FIGURES if name in figures]
    found = [
        Range(str(label), *(each[part] * 100 for part in ("relative", "relative_low", "relative_high")))
        for label, each in told
        if None not in (each["relative"], each["relative_low"], each["relative_high"])
    ]
    plot = ranges(
        f"uplift-{experiment.pk}",
        _("Difference in per cent"),
        found,
        overall=0.0,
        note=_("With its interval (95 %). An interval that holds 0 tells no difference from chance."),
        head=_("Figure"),
    )
    return render(plot) if plot else ""
