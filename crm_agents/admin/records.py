"""What is only ever read: the audit, and what staff said of scores."""

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from crm_agents.admin.badges import badge
from crm_agents.admin.base import RecordAdmin
from crm_agents.models import Feedback
from crm_data.selectors import get_source, visible_customer_ids


class AuditEntryAdmin(RecordAdmin):
    """Who did what. Nobody adds, changes or deletes an entry here, superusers included."""

    viewing = ()
    list_display = ("at", "user", "agent", "action", "subject")
    list_filter = ("action", "agent", "at")
    list_select_related = ("user", "agent")
    search_fields = ("action", "subject", "user__username", "agent__name")
    fields = ("at", "user", "agent", "action", "subject", "detail")


class FeedbackAdmin(RecordAdmin):
    """What staff said, limited to the customers that the reader may see."""

    viewing = ()
    list_display = ("at", "agent", "customer_id", "item", "said", "reason", "user")
    list_filter = ("verdict", "agent", "at")
    list_select_related = ("agent", "user")
    search_fields = ("=customer_id", "=item", "reason", "user__username")
    fields = ("at", "user", "agent", "customer_id", "item", "verdict", "reason", "scoring")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Feedback]:
        found: QuerySet[Feedback] = super().get_queryset(request)
        visible = Q(pk__in=())
        for tenant in get_source().tenants():
            ids = visible_customer_ids(request.user, tenant=tenant)
            visible |= Q(tenant=tenant) if ids is None else Q(tenant=tenant, customer_id__in=ids)
        return found.filter(visible)

    @admin.display(description=_("verdict"), ordering="verdict")
    def said(self, feedback: Feedback) -> str:
        return badge(feedback.verdict, feedback.get_verdict_display())
