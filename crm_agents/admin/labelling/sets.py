"""Label sets: the list, the page of one with its progress, and making, filling and closing one."""

from typing import Any, ClassVar

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed, HttpResponseRedirect
from django.urls import URLPattern, path
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from crm_agents.admin.badges import badge
from crm_agents.admin.base import RecordAdmin, require
from crm_agents.admin.labelling.annotating import AnnotatingPages
from crm_agents.admin.labelling.disputes import DisputePages
from crm_agents.admin.labelling.errors import ErrorPages
from crm_agents.admin.labelling.forms import FillForm
from crm_agents.admin.labelling.pages import ANNOTATE, MANAGE, Pages
from crm_agents.admin.labelling.plots import gain_plot, honest_plot
from crm_agents.admin.labelling.transfer import TransferPages
from crm_agents.admin.labelling.wording import filling_said
from crm_agents.admin.tools import Link
from crm_agents.models import ItemStatus, LabelItem, LabelSet
from crm_agents.services.labelling import progress
from crm_agents.services.labelling.jobs import request_filling
from crm_agents.services.labelling.sets import choose_training, close_label_set


class LabelSetAdmin(RecordAdmin):
    viewing = (ANNOTATE, MANAGE)
    list_display = ("name", "agent", "subject", "question", "state", "trains")
    list_display_links = ("name",)
    list_filter = ("agent", "subject", "closed")
    list_select_related = ("agent",)
    search_fields = ("name", "question")
    export_fields: ClassVar = ("name", "agent__name", "subject", "question", "closed", "created_at")

    def get_queryset(self, request: HttpRequest) -> QuerySet[LabelSet]:
        found: QuerySet[LabelSet] = super().get_queryset(request).select_related("agent")
        return found

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("<int:pk>/fill/", view(self.fill_view), name="crm_agents_labelset_fill"),
            path("<int:pk>/close/", view(self.close_view), name="crm_agents_labelset_close"),
            path("<int:pk>/train/", view(self.train_view), name="crm_agents_labelset_train"),
            *(pattern for pages in self._pages() for pattern in pages.urls()),
            *super().get_urls(),
        ]

    def _pages(self) -> tuple[Pages, ...]:
        return AnnotatingPages(self), DisputePages(self), ErrorPages(self), TransferPages(self)

    @admin.display(description=gettext_lazy("state"), ordering="closed")
    def state(self, label_set: LabelSet) -> str:
        return badge("neutral", _("closed")) if label_set.closed else badge("good", _("open"))

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        if request.method not in ("GET", "HEAD"):
            return HttpResponseNotAllowed(["GET"])
        label_set: LabelSet = self.found(request, object_id)
        return self._show(request, label_set, FillForm())

    def fill_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Have a worker add items to the queue."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        require(request, MANAGE)
        label_set: LabelSet = self.found(request, pk)
        form = FillForm(request.POST)
        if not form.is_valid():
            return self._show(request, label_set, form)
        if request_filling(label_set, size=form.cleaned_data["size"], user=request.user):
            messages.success(request, _("The queue is being filled."))
        return HttpResponseRedirect(self.url_of(label_set))

    def close_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """End the labelling, or open it again."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        require(request, MANAGE)
        label_set: LabelSet = self.found(request, pk)
        close_label_set(label_set, closed=request.POST.get("closed") == "1", user=request.user)
        return HttpResponseRedirect(self.url_of(label_set))

    def train_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Let the set's labels train, or not."""
        if request.method != "POST":
            return HttpResponseNotAllowed(["POST"])
        require(request, MANAGE)
        label_set: LabelSet = self.found(request, pk)
        choose_training(label_set, trains=request.POST.get("trains") == "1", user=request.user)
        return HttpResponseRedirect(self.url_of(label_set))

    def _show(self, request: HttpRequest, label_set: LabelSet, form: FillForm) -> HttpResponse:
        manages = request.user.has_perm(MANAGE)
        known = progress.counts(label_set)
        estimates = progress.honest_estimates(label_set)
        return self.page(
            request,
            "crm_agents/labelling/set.html",
            title=str(label_set),
            label_set=label_set,
            agent_url=self.url_of(label_set.agent),
            counts=[(status.label, known[status]) for status in ItemStatus],
            all=known["all"],
            done=known["all"] - known[ItemStatus.OPEN],
            people=progress.people(label_set),
            overall=progress.overall(estimates),
            plots=list(filter(None, [honest_plot(estimates), gain_plot(*progress.version_gains(label_set))])),
            filling=filling_said(label_set.filling),
            links=self._links(request, label_set, known),
            form=form if manages else None,
            fill_url=self.url("crm_agents_labelset_fill", label_set.pk),
            export_url=self.url("crm_agents_labelset_export", label_set.pk),
            train_url=self.url("crm_agents_labelset_train", label_set.pk),
            close_url=self.url("crm_agents_labelset_close", label_set.pk),
            annotate_url=self.url("crm_agents_labelset_annotate", label_set.pk)
            if request.user.has_perm(ANNOTATE) and not label_set.closed
            else "",
        )

    def _links(self, request: HttpRequest, label_set: LabelSet, known: dict[str, int]) -> list[Link]:
        if not request.user.has_perm(MANAGE):
            return []
        disputed = known[ItemStatus.DISPUTED]
        doubted = LabelItem.objects.filter(label_set=label_set, suspicion__isnull=False).count()
        return [
            Link(
                _("Agreement and disputes"),
                self.url("crm_agents_labelset_disputes", label_set.pk),
                str(disputed) if disputed else "",
                "warn",
            ),
            Link(
                _("Likely errors"),
                self.url("crm_agents_labelset_errors", label_set.pk),
                str(doubted) if doubted else "",
                "warn",
            ),
            Link(_("Import labels"), self.url("crm_agents_labelset_import", label_set.pk)),
        ]
