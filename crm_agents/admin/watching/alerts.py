"""Alerts: the list of all, each one's page with what may be done about it, and the button that closes it."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.urls import URLPattern, path
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from crm_agents.admin.badges import badge
from crm_agents.admin.base import AgentsAdmin, RecordAdmin, require
from crm_agents.alerts import alert_sentence, remedy
from crm_agents.models import Agent, Alert
from crm_agents.services.watching.alerting import AlertIsClosed, close_alert

CLOSE = "crm_agents.manage_agents"


class StateFilter(admin.SimpleListFilter):
    title = gettext_lazy("state")
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("open", _("open")), ("closed", _("closed"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Alert]) -> QuerySet[Alert]:
        if self.value() in ("open", "closed"):
            return queryset.filter(closed_at__isnull=self.value() == "open")
        return queryset


class AlertAdmin(RecordAdmin):
    viewing = ("crm_agents.view_scores", "crm_agents.manage_runs", CLOSE)
    list_display = ("opened_at", "agent", "state", "says")
    list_display_links = ("opened_at",)
    list_filter = (StateFilter, "kind", "agent", "opened_at")
    list_select_related = ("agent",)
    search_fields = ("agent__name", "agent__tenant")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Alert]:
        found: QuerySet[Alert] = super().get_queryset(request)
        return found.select_related("agent", "closed_by", "scoring__version__agent")

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.close_view)
        return [path("<int:pk>/close/", view, name="crm_agents_alert_close"), *super().get_urls()]

    @admin.display(description=gettext_lazy("what it says"))
    def says(self, alert: Alert) -> str:
        return alert_sentence(alert)

    @admin.display(description=gettext_lazy("state"), ordering="closed_at")
    def state(self, alert: Alert) -> str:
        return alert_badge(alert)

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        if request.method not in ("GET", "HEAD"):
            return HttpResponseNotAllowed(["GET"])
        alert: Alert = self.found(request, object_id)
        may_close = alert.closed_at is None and request.user.has_perm(CLOSE)
        return self.page(
            request,
            "crm_agents/alert.html",
            title=str(alert.get_kind_display()).capitalize(),
            crumbs=[(str(alert.agent), self.url_of(alert.agent))],
            alert=alert,
            sentence=alert_sentence(alert),
            remedy=remedy(alert.kind),
            state=alert_badge(alert),
            watching_url=self.url("crm_agents_agent_watching", alert.agent_id),
            scoring_url=self.url_of(alert.scoring) if alert.scoring else "",
            close_url=self.url("crm_agents_alert_close", alert.pk) if may_close else "",
        )

    def close_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Close an alert that somebody has seen to."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        require(request, CLOSE)
        alert: Alert = self.found(request, pk)
        try:
            close_alert(alert, user=request.user)
        except AlertIsClosed as error:
            messages.warning(request, str(error))
        else:
            messages.success(request, _("The alert was closed. It opens again when something else is wrong."))
        return HttpResponseRedirect(self.url_of(alert))


def alert_badge(alert: Alert) -> SafeString:
    return badge("bad", _("open")) if alert.closed_at is None else badge("neutral", _("closed"))


def alert_rows(site: AgentsAdmin, agent: Agent) -> list[tuple[Alert, str, str]]:
    """Return the open alerts of an agent with their pages and sentences."""
    opened = Alert.objects.filter(agent=agent, closed_at=None)
    return [(alert, site.url_of(alert), alert_sentence(alert)) for alert in opened]
