"""Sweeps: the list, and a page that follows one while it goes on."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from crm_agents.admin.badges import badge
from crm_agents.admin.base import RecordAdmin, require
from crm_agents.admin.search_form import PRUNER_CHOICES
from crm_agents.admin.trials import sweep_plots, sweep_state
from crm_agents.missing import missing_sentences
from crm_agents.models import Sweep, SweepStatus
from crm_agents.services.tuning.sweeps import SweepAlreadyRunning, resume_sweep, stop_sweep

MANAGE_RUNS = "crm_agents.manage_runs"
TONES = {SweepStatus.RUNNING: "calm", SweepStatus.SUCCEEDED: "good", SweepStatus.FAILED: "bad"}


def sweep_badge(sweep: Sweep) -> SafeString:
    status = SweepStatus(sweep.status)
    return badge(TONES.get(status, "neutral"), status.label)


class SweepAdmin(RecordAdmin):
    viewing = ("crm_agents.view_scores", MANAGE_RUNS)
    list_display = ("created_at", "agent", "kind", "state", "planned", "metric", "started_by")
    list_display_links = ("created_at",)
    list_filter = ("status", "kind", "agent", "created_at")
    list_select_related = ("agent", "started_by")
    search_fields = ("=id", "agent__name", "agent__tenant", "error")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Sweep]:
        found: QuerySet[Sweep] = super().get_queryset(request).select_related("agent", "started_by")
        return found

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("<uuid:pk>/trials/", view(self.trials_view), name="crm_agents_sweep_trials"),
            path("<uuid:pk>/stop/", view(self.stop_view), name="crm_agents_sweep_stop"),
            path("<uuid:pk>/resume/", view(self.resume_view), name="crm_agents_sweep_resume"),
            *super().get_urls(),
        ]

    @admin.display(description=gettext_lazy("status"), ordering="status")
    def state(self, sweep: Sweep) -> str:
        return sweep_badge(sweep)

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        if request.method not in ("GET", "HEAD"):
            return HttpResponseNotAllowed(["GET"])
        sweep: Sweep = self.found(request, object_id)
        may_run = request.user.has_perm(MANAGE_RUNS)
        state = sweep_state(self, sweep, may_run=may_run)
        missing = next((trial for trial in state["trials"] if trial.status == "not_enough_data"), None)
        return self.page(
            request,
            "crm_agents/sweep.html",
            title=_("%(kind)s of %(agent)s")
            % {"kind": sweep.get_kind_display().capitalize(), "agent": sweep.agent},
            sweep=sweep,
            pruner=dict(PRUNER_CHOICES).get(sweep.pruner, sweep.pruner),
            running=sweep.status == SweepStatus.RUNNING,
            stopped=sweep.status == SweepStatus.STOPPED,
            missing=missing_sentences(missing.missing) if missing else [],
            plots=sweep_plots(sweep, state["trials"]),
            agent_url=self.url_of(sweep.agent),
            config=sorted(sweep.config.items()),
            may_run=may_run,
            trials_url=self.url("crm_agents_sweep_trials", sweep.pk),
            stop_url=self.url("crm_agents_sweep_stop", sweep.pk),
            resume_url=self.url("crm_agents_sweep_resume", sweep.pk),
            **self._state(sweep, state),
        )

    def trials_view(self, request: HttpRequest, pk: Any) -> HttpResponse:
        """Answer with the part of the page that changes; `X-Running` says whether there is more to come."""
        sweep: Sweep = self.found(request, pk)
        state = sweep_state(self, sweep, may_run=request.user.has_perm(MANAGE_RUNS))
        context = {"sweep": sweep, **self._state(sweep, state)}
        answer = TemplateResponse(request, "crm_agents/sweep_trials.html", context)
        answer["X-Running"] = "yes" if sweep.status == SweepStatus.RUNNING else "no"
        return answer

    def stop_view(self, request: HttpRequest, pk: Any) -> HttpResponse:
        """End the sweep's trials; those that finished are kept."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        require(request, MANAGE_RUNS)
        sweep: Sweep = self.found(request, pk)
        if sweep.status == SweepStatus.RUNNING:
            stop_sweep(sweep, user=request.user)
            messages.success(request, _("The sweep is being stopped; its finished trials are kept."))
        else:
            messages.warning(request, _("This sweep does not go on, so there is nothing to stop."))
        return HttpResponseRedirect(self.url_of(sweep))

    def resume_view(self, request: HttpRequest, pk: Any) -> HttpResponse:
        """Go on with a stopped sweep."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        require(request, MANAGE_RUNS)
        sweep: Sweep = self.found(request, pk)
        try:
            resume_sweep(sweep, user=request.user)
        except SweepAlreadyRunning as error:
            messages.warning(request, str(error))
            return HttpResponseRedirect(self.url_of(error.sweep))
        if sweep.status == SweepStatus.RUNNING:
            messages.success(request, _("The sweep goes on."))
        else:
            messages.warning(request, _("Only a stopped sweep can go on."))
        return HttpResponseRedirect(self.url_of(sweep))

    def _state(self, sweep: Sweep, state: dict[str, Any]) -> dict[str, Any]:
        shown = {name: value for name, value in state.items() if name != "trials"}
        return {**shown, "status": sweep_badge(sweep)}
