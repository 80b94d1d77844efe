"""Versions: each one's page is its model card; promoting one is a button that asks first."""

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

from crm_agents.admin.badges import badge, status_badge, verdict_badge
from crm_agents.admin.base import RecordAdmin, require
from crm_agents.admin.comparing import compare_url
from crm_agents.admin.forms import PromoteForm
from crm_agents.admin.tools import version_tools
from crm_agents.cards.facts import model_card
from crm_agents.cards.page import card_context, card_name, gate_metric, html_card
from crm_agents.folders import artifact_folder
from crm_agents.models import ModelVersion
from crm_agents.models.agent import Verdict
from crm_agents.names import metric_label
from crm_agents.services.comparing import MOST
from crm_agents.services.publishing import GateNotPassed, promote_version
from crm_agents.services.scoring import NothingToScore
from crm_agents.verdicts import verdict_sentences
from crm_agents.words import figure, joined
from handoff.errors import HandoffError

PROMOTE = "crm_agents.promote_version"
SHOWN = 5  # newest scorings on a version's page


class ModelVersionAdmin(RecordAdmin):
    viewing = ("crm_agents.view_scores", PROMOTE)
    list_display = ("name", "agent", "verdict_shown", "is_live", "metric", "created_at")
    list_display_links = ("name",)
    list_filter = ("verdict", "agent", "created_at")
    list_select_related = ("agent",)
    actions = (*RecordAdmin.actions, "compare_selected")
    search_fields = ("agent__name", "agent__tenant", "=number", "artifact_sha256")

    def get_queryset(self, request: HttpRequest) -> QuerySet[ModelVersion]:
        found: QuerySet[ModelVersion] = (
            super().get_queryset(request).select_related("agent", "snapshot", "run", "parent__agent")
        )
        return found

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("<int:pk>/promote/", view(self.promote_view), name="crm_agents_modelversion_promote"),
            path("<int:pk>/model-card.json", view(self.card_view), name="crm_agents_modelversion_card"),
            path(
                "<int:pk>/model-card.html",
                view(self.html_card_view),
                name="crm_agents_modelversion_html_card",
            ),
            *(pattern for tool in version_tools() for pattern in tool.urls(self)),
            *super().get_urls(),
        ]

    @admin.action(description=gettext_lazy("Compare the selected versions"), permissions=["view"])
    def compare_selected(self, request: HttpRequest, queryset: QuerySet[ModelVersion]) -> HttpResponse:
        keys = list(queryset.order_by("-pk").values_list("pk", flat=True)[: MOST + 1])
        return HttpResponseRedirect(compare_url(self, keys))

    @admin.display(description=gettext_lazy("version"), ordering="number")
    def name(self, version: ModelVersion) -> str:
        return str(version)

    @admin.display(description=gettext_lazy("gate"), ordering="verdict")
    def verdict_shown(self, version: ModelVersion) -> str:
        return verdict_badge(version)

    @admin.display(description=gettext_lazy("live"))
    def is_live(self, version: ModelVersion) -> str:
        return badge("good", _("live")) if version.agent.live_version_id == version.pk else "–"

    @admin.display(description=gettext_lazy("on the test window"))
    def metric(self, version: ModelVersion) -> str:
        name = gate_metric(version)
        value = version.evaluation.get("metrics", {}).get("model", {}).get(name)
        return f"{metric_label(name)} {figure(value)}" if name else "–"

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        if request.method not in ("GET", "HEAD"):
            return HttpResponseNotAllowed(["GET"])
        version: ModelVersion = self.found(request, object_id)
        live = version.agent.live_version_id == version.pk
        may_promote = not live and request.user.has_perm(PROMOTE)
        scorings = version.scorings.all()[:SHOWN]
        return self.page(
            request,
            "crm_agents/version.html",
            title=str(version),
            **card_context(version),
            agent_url=self.url_of(version.agent),
            run_url=self.url_of(version.run),
            parent_url=self.url_of(version.parent) if version.parent else "",
            scorings=[(scoring, self.url_of(scoring), status_badge(scoring)) for scoring in scorings],
            card_url=self.url("crm_agents_modelversion_card", version.pk),
            html_card_url=self.url("crm_agents_modelversion_html_card", version.pk),
            promote_url=self.url("crm_agents_modelversion_promote", version.pk) if may_promote else "",
            links=[link for tool in version_tools() for link in tool.links(self, request, version)],
        )

    def card_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Download the model card as JSON."""
        version: ModelVersion = self.found(request, pk)
        answer = JsonResponse(model_card(version, artifact_folder(version)), json_dumps_params={"indent": 2})
        return _saved_as(answer, card_name(version, "json"))

    def html_card_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Download the model card as one HTML file."""
        version: ModelVersion = self.found(request, pk)
        return _saved_as(HttpResponse(html_card(version)), card_name(version, "html"))

    def promote_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Ask, with the gate's reasons and for one's own where they are against it, then publish."""
        require(request, PROMOTE)
        version: ModelVersion = self.found(request, pk)
        if version.agent.live_version_id == version.pk:
            messages.warning(request, _("%s is live already.") % version)
            return HttpResponseRedirect(self.url_of(version))
        form = PromoteForm(request.POST or None) if version.verdict == Verdict.FAILED else None
        if request.method == "POST" and (form is None or form.is_valid()):
            answer = self._promote(request, version, form)
            if answer is not None:
                return answer
        return self.page(
            request,
            "crm_agents/confirm.html",
            title=_("Promote %s?") % version,
            crumbs=[(str(version), self.url_of(version))],
            warning=joined(verdict_sentences(version.verdict_reasons)) if form else "",
            consequences=[
                _("Every customer is scored with it; readers see its scores once all of them are in."),
                _("It can be rolled back."),
            ],
            form=form,
            harmless=form is None,
            button=_("Promote all the same") if form else _("Promote"),
            back=self.url_of(version),
        )

    def _promote(
        self, request: HttpRequest, version: ModelVersion, form: PromoteForm | None
    ) -> HttpResponse | None:
        """Promote and go back to the version; None where the form has to be shown again."""
        try:
            scoring = promote_version(
                version,
                user=request.user,
                override_reason=form.cleaned_data["reason"] if form else "",
            )
        except GateNotPassed as error:
            if form is None:
                messages.error(request, str(error))
                return HttpResponseRedirect(self.url_of(version))
            form.add_error("reason", str(error))
            return None
        except (NothingToScore, HandoffError) as error:
            messages.error(request, str(error))
            return HttpResponseRedirect(self.url_of(version))
        if scoring.published_at:
            messages.success(request, _("%s is live.") % version)
        else:
            messages.success(request, _("%s is scoring every customer, and goes live then.") % version)
        return HttpResponseRedirect(self.url_of(version))


def _saved_as(answer: HttpResponse, name: str) -> HttpResponse:
    answer["Content-Disposition"] = f'attachment; filename="{name}"'
    return answer
