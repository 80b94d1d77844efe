"""Scorings: which set of scores was made when, by which version, and whether readers see it."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.urls import URLPattern, path
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from crm_agents.admin.badges import badge, status_badge
from crm_agents.admin.base import RecordAdmin, require
from crm_agents.admin.watching.drift import drift_context
from crm_agents.models import RunStatus, ScoringRun
from crm_agents.services.scoring import cancel_scorings
from crm_agents.words import number

MANAGE_RUNS = "crm_agents.manage_runs"


class ScoringRunAdmin(RecordAdmin):
    viewing = ("crm_agents.view_scores", MANAGE_RUNS)
    list_display = ("created_at", "agent", "version", "state", "customers", "as_of", "readers")
    list_display_links = ("created_at",)
    list_filter = ("status", "shadow", "agent", "created_at")
    list_select_related = ("agent", "version__agent")
    search_fields = ("=id", "agent__name", "agent__tenant", "error")

    def get_queryset(self, request: HttpRequest) -> QuerySet[ScoringRun]:
        found: QuerySet[ScoringRun] = super().get_queryset(request)
        return found.select_related("agent", "version__agent", "snapshot")

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("<uuid:pk>/cancel/", view(self.cancel_view), name="crm_agents_scoringrun_cancel"),
            *super().get_urls(),
        ]

    @admin.display(description=gettext_lazy("status"), ordering="status")
    def state(self, scoring: ScoringRun) -> str:
        return status_badge(scoring)

    @admin.display(description=gettext_lazy("customers scored"), ordering="rows")
    def customers(self, scoring: ScoringRun) -> str:
        return number(scoring.rows)

    @admin.display(description=gettext_lazy("readers see it"))
    def readers(self, scoring: ScoringRun) -> str:
        if scoring.shadow:
            return badge("calm", _("shadow"))
        return badge("good", _("live")) if scoring.agent.live_scoring_id == scoring.pk else "–"

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        if request.method not in ("GET", "HEAD"):
            return HttpResponseNotAllowed(["GET"])
        scoring: ScoringRun = self.found(request, object_id)
        shards = list(scoring.shards.all())
        may_cancel = scoring.is_active and request.user.has_perm(MANAGE_RUNS)
        done = sum(shard.status == RunStatus.SUCCEEDED for shard in shards)
        return self.page(
            request,
            "crm_agents/scoring.html",
            title=_("Scoring by %s") % scoring.version,
            scoring=scoring,
            status=status_badge(scoring),
            live=scoring.agent.live_scoring_id == scoring.pk,
            agent_url=self.url_of(scoring.agent),
            version_url=self.url_of(scoring.version),
            customers=number(scoring.rows),
            done=str(done),
            of=str(len(shards)),
            cancel_url=self.url("crm_agents_scoringrun_cancel", scoring.pk) if may_cancel else "",
            shards=[(shard, status_badge(shard), number(shard.rows)) for shard in shards],
            drift=drift_context(scoring),
        )

    def cancel_view(self, request: HttpRequest, pk: Any) -> HttpResponse:
        """Ask, then end the scoring; what readers see stays as it is."""
        require(request, MANAGE_RUNS)
        scoring: ScoringRun = self.found(request, pk)
        if not scoring.is_active:
            messages.warning(request, _("This scoring has ended already, so there is nothing to cancel."))
            return HttpResponseRedirect(self.url_of(scoring))
        if request.method == "POST":
            cancel_scorings(scoring.agent, user=request.user, shadow=scoring.shadow)
            messages.success(request, _("The scoring was cancelled."))
            return HttpResponseRedirect(self.url_of(scoring))
        return self.page(
            request,
            "crm_agents/confirm.html",
            title=_("Cancel this scoring?"),
            crumbs=[(_("Scoring by %s") % scoring.version, self.url_of(scoring))],
            consequences=[_("What readers see stays as it is.")],
            button=_("Cancel the scoring"),
            back_text=_("Let it go on"),
            back=self.url_of(scoring),
        )
