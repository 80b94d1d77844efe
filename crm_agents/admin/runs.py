"""Runs: the list, and a page that follows one run while it goes on."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import (
    HttpRequest,
    HttpResponse,
    HttpResponseNotAllowed,
    HttpResponseRedirect,
    JsonResponse,
)
from django.urls import URLPattern, path
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from crm_agents.admin.badges import status_badge, verdict_badge
from crm_agents.admin.base import RecordAdmin, require
from crm_agents.admin.progress import run_progress, time_taken
from crm_agents.admin.run_reports import run_report
from crm_agents.alerts import started_for_sentence
from crm_agents.folders import run_folder
from crm_agents.missing import missing_sentences
from crm_agents.models import ModelVersion, Purpose, TrainingRun
from crm_agents.services.runs import cancel_run
from crm_agents.words import setting

MANAGE_RUNS = "crm_agents.manage_runs"


class TrainingRunAdmin(RecordAdmin):
    viewing = ("crm_agents.view_scores", MANAGE_RUNS)
    list_display = ("started", "agent", "purpose", "state", "took", "started_by")
    list_display_links = ("started",)
    list_filter = ("purpose", "status", "agent", "created_at")
    search_fields = ("=id", "agent__name", "agent__tenant", "started_by__username", "error")

    def get_queryset(self, request: HttpRequest) -> QuerySet[TrainingRun]:
        found: QuerySet[TrainingRun] = super().get_queryset(request)
        return found.select_related("agent", "started_by", "sweep__agent")

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("<uuid:pk>/progress/", view(self.progress_view), name="crm_agents_trainingrun_progress"),
            path("<uuid:pk>/cancel/", view(self.cancel_view), name="crm_agents_trainingrun_cancel"),
            *super().get_urls(),
        ]

    @admin.display(description=gettext_lazy("started"), ordering="created_at")
    def started(self, run: TrainingRun) -> Any:
        return run.created_at

    @admin.display(description=gettext_lazy("status"), ordering="status")
    def state(self, run: TrainingRun) -> str:
        return status_badge(run)

    @admin.display(description=gettext_lazy("took"))
    def took(self, run: TrainingRun) -> str:
        return time_taken(run)

    def heading(self, run: TrainingRun) -> str:
        if run.purpose == Purpose.TRAIN:
            return _("Run of %s") % run.agent
        purpose = run.get_purpose_display().capitalize()
        return _("%(purpose)s of %(agent)s") % {"purpose": purpose, "agent": run.agent}

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        if request.method not in ("GET", "HEAD"):
            return HttpResponseNotAllowed(["GET"])
        run: TrainingRun = self.found(request, object_id)
        version = ModelVersion.objects.filter(run=run).select_related("agent").first()
        may_cancel = run.is_active and not run.cancel_requested and request.user.has_perm(MANAGE_RUNS)
        return self.page(
            request,
            "crm_agents/run.html",
            title=self.heading(run),
            run=run,
            started_for=started_for_sentence(run.started_for),
            report=run_report(self, request, run),
            progress=run_progress(run, run_folder(run)),
            status=status_badge(run),
            missing=missing_sentences(run.missing),
            config=[(name, setting(value)) for name, value in sorted(run.config.items())],
            agent_url=self.url_of(run.agent),
            version=version,
            version_url=self.url_of(version) if version else "",
            verdict=verdict_badge(version) if version else "",
            progress_url=self.url("crm_agents_trainingrun_progress", run.pk),
            cancel_url=self.url("crm_agents_trainingrun_cancel", run.pk) if may_cancel else "",
        )

    def progress_view(self, request: HttpRequest, pk: Any) -> HttpResponse:
        """Answer with the run's state as JSON, for the page that is open on it."""
        run: TrainingRun = self.found(request, pk)
        return JsonResponse(run_progress(run, run_folder(run)))

    def cancel_view(self, request: HttpRequest, pk: Any) -> HttpResponse:
        """Ask, then cancel the run."""
        require(request, MANAGE_RUNS)
        run: TrainingRun = self.found(request, pk)
        if not run.is_active:
            messages.warning(request, _("This run has ended already, so there is nothing to cancel."))
            return HttpResponseRedirect(self.url_of(run))
        if request.method == "POST":
            cancel_run(run, user=request.user)
            messages.success(request, _("The run is being cancelled."))
            return HttpResponseRedirect(self.url_of(run))
        return self.page(
            request,
            "crm_agents/confirm.html",
            title=_("Cancel this run?"),
            crumbs=[(self.heading(run), self.url_of(run))],
            consequences=[
                _("The worker stops it and makes no version of it.")
                if run.purpose == Purpose.TRAIN
                else _("The worker stops it, and what it has found so far is not kept."),
                _("What readers see stays as it is."),
            ],
            button=_("Cancel the run"),
            back_text=_("Let it go on"),
            back=self.url_of(run),
        )
