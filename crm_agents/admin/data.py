"""The data page of an agent: what a check has found, fields to leave out, and how events are cleaned."""

from collections.abc import Mapping
from typing import Any

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.urls import URLPattern, path
from django.utils.timesince import timesince
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from crm_agents.admin.base import AgentsAdmin, require
from crm_agents.admin.data_facts import FieldRow, count_of, field_rows, report_context
from crm_agents.admin.readiness import readiness
from crm_agents.admin.run_reports import REPORTS, RunReport
from crm_agents.admin.tools import Link
from crm_agents.admin.wording import agent_title
from crm_agents.models import Agent, Purpose, RunStatus, TrainingRun
from crm_agents.services.preparation import active_check, last_check, newest_check, prepare
from crm_agents.services.runs import RunAlreadyActive, planned_config, start_run
from crm_data.clock import local
from handoff.config import TrainingConfig
from handoff.errors import HandoffError

MANAGE_RUNS = "crm_agents.manage_runs"
MANAGE_AGENTS = "crm_agents.manage_agents"


class PrepareForm(forms.Form):
    """Fields to leave out, and the cleaning options of `handoff.config.Cleaning`."""

    excluded = forms.MultipleChoiceField(required=False, label=gettext_lazy("Fields left out"))
    duplicates = forms.ChoiceField(
        label=gettext_lazy("Repeated lines"),
        choices=[("keep", gettext_lazy("keep")), ("drop", gettext_lazy("leave out"))],
        help_text=gettext_lazy("Interactions that equal another one in every column."),
    )
    outliers = forms.ChoiceField(
        label=gettext_lazy("Extreme values"),
        choices=[("keep", gettext_lazy("keep")), ("clip", gettext_lazy("clip"))],
        help_text=gettext_lazy("Amounts and quantities beyond the limit below count as the limit."),
    )
    quantile = forms.FloatField(
        label=gettext_lazy("Limit"),
        help_text=gettext_lazy("Share of the training window's values that lie within it, from 0.5 to 1."),
        widget=forms.NumberInput(attrs={"step": "any"}),
    )

    def __init__(
        self, data: Mapping[str, Any] | None, *, config: TrainingConfig, rows: list[FieldRow]
    ) -> None:
        super().__init__(data, initial={"excluded": list(config.excluded), **vars(config.cleaning)})
        self.rows = rows
        self.fields["excluded"].choices = [(row.name, row.label) for row in rows]  # type: ignore[attr-defined]

    @property
    def cleaning_fields(self) -> list[forms.BoundField]:
        return [self["duplicates"], self["outliers"], self["quantile"]]

    @property
    def field_rows(self) -> list[tuple[FieldRow, bool]]:
        """Each field with whether its box is ticked."""
        ticked = self["excluded"].value() or []
        return [(row, row.name in ticked) for row in self.rows]

    def clean_quantile(self) -> float:
        value: float = self.cleaned_data["quantile"]
        if not 0.5 <= value <= 1:
            raise forms.ValidationError(_("Limit is %(value)s; choose from 0.5 to 1.") % {"value": value})
        return value


class DataTool:
    """ "Data" on an agent's page."""

    def urls(self, admin: AgentsAdmin) -> list[URLPattern]:
        def page(request: HttpRequest, pk: int) -> HttpResponse:
            return data_view(admin, request, pk)

        def check(request: HttpRequest, pk: int) -> HttpResponse:
            return check_view(admin, request, pk)

        view = admin.admin_site.admin_view
        return [
            path("<int:pk>/data/", view(page), name="crm_agents_agent_data"),
            path("<int:pk>/data/check/", view(check), name="crm_agents_agent_data_check"),
        ]

    def links(self, admin: AgentsAdmin, request: HttpRequest, row: Agent) -> list[Link]:
        check = newest_check(row)
        note, tone = _state(check) if check else (_("never checked"), "neutral")
        return [Link(_("Data"), admin.url("crm_agents_agent_data", row.pk), note, tone)]


def data_view(admin: AgentsAdmin, request: HttpRequest, pk: int) -> HttpResponse:
    """Show the newest data check, or take what the manager decides of fields and cleaning."""
    agent: Agent = admin.found(request, pk)
    config = _config(agent)
    check = newest_check(agent)
    report = check.report if check else None
    try:
        rows = field_rows(report, config.excluded)
        context = report_context(report) if report else {}
    except HandoffError as error:
        messages.error(request, str(error))
        rows, context, check = field_rows(None, config.excluded), {}, None
    form = PrepareForm(request.POST or None, config=config, rows=rows)
    if request.method == "POST":
        require(request, MANAGE_AGENTS)
        if form.is_valid() and _prepared(request, agent, form):
            return HttpResponseRedirect(admin.url("crm_agents_agent_data", pk))
    return admin.page(
        request,
        "crm_agents/data.html",
        title=_("Data"),
        crumbs=[(agent_title(agent), admin.url_of(agent))],
        agent=agent,
        form=form,
        may_manage=request.user.has_perm(MANAGE_AGENTS),
        report=context,
        needs=readiness(agent.tenant, config),
        **_checks(admin, request, agent, check),
        back=admin.url_of(agent),
    )


def check_view(admin: AgentsAdmin, request: HttpRequest, pk: int) -> HttpResponse:
    """Start a data check and go to its page."""
    if request.method != "POST":
        return HttpResponseNotAllowed(["POST"])
    require(request, MANAGE_RUNS)
    agent: Agent = admin.found(request, pk)
    _config(agent)
    try:
        run = start_run(agent, user=request.user, purpose=Purpose.INSPECT)
    except RunAlreadyActive as error:
        messages.warning(request, str(error))
        return HttpResponseRedirect(admin.url_of(error.run))
    except HandoffError as error:
        messages.error(request, str(error))
        return HttpResponseRedirect(admin.url("crm_agents_agent_data", pk))
    messages.success(request, _("The data are being checked."))
    return HttpResponseRedirect(admin.url_of(run))


def _config(agent: Agent) -> TrainingConfig:
    try:
        return planned_config(agent, {})
    except LookupError as error:
        raise Http404(str(error)) from error


def _prepared(request: HttpRequest, agent: Agent, form: PrepareForm) -> bool:
    """Store what the form says; False where the configuration refuses it."""
    values = dict(form.cleaned_data)
    try:
        prepare(agent, excluded=values.pop("excluded"), cleaning=values, user=request.user)
    except HandoffError as error:
        form.add_error(None, str(error))
        return False
    messages.success(request, _("Stored; the next run and the next check go by it."))
    return True


def _checks(
    admin: AgentsAdmin, request: HttpRequest, agent: Agent, check: TrainingRun | None
) -> dict[str, Any]:
    """Say when the data were checked, what is under way, and what may be started."""
    active, last = active_check(agent), last_check(agent)
    failed = last if last and last.status == RunStatus.FAILED and last != check else None
    may_start = request.user.has_perm(MANAGE_RUNS) and active is None
    age = ""
    if check is not None and check.finished_at is not None:
        age = _("Checked %(age)s ago.") % {"age": timesince(local(check.finished_at))}
    return {
        "check": check,
        "age": age,
        "check_run_url": admin.url_of(check) if check else "",
        "active_url": admin.url_of(active) if active else "",
        "failed_url": admin.url_of(failed) if failed else "",
        "check_url": admin.url("crm_agents_agent_data_check", agent.pk) if may_start else "",
    }


def _state(check: TrainingRun) -> tuple[str, str]:
    """Say what a check came to in a few words, with their colour."""
    stops, warnings = count_of(check.report, "stop"), count_of(check.report, "warn")
    if stops:
        text = ngettext("%(count)s thing to solve", "%(count)s things to solve", stops)
        return text % {"count": stops}, "bad"
    if warnings:
        text = ngettext("%(count)s thing to look at", "%(count)s things to look at", warnings)
        return text % {"count": warnings}, "warn"
    return _("nothing wrong"), "good"


def check_report(admin: AgentsAdmin, request: HttpRequest, run: TrainingRun) -> RunReport | None:
    """Lead from the page of a check to what it found."""
    if run.status != RunStatus.SUCCEEDED:
        return None
    note, tone = _state(run)
    url = admin.url("crm_agents_agent_data", run.agent_id)
    return RunReport("crm_agents/data_report.html", {"url": url, "note": note, "tone": tone})


REPORTS[Purpose.INSPECT] = check_report
