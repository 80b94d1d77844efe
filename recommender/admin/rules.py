"""Rules for recommendations: the list with what each does today, the form, and a preview for a customer."""

from collections.abc import Sequence
from typing import Any

from django.contrib.admin import display
from django.contrib.admin.views.main import ChangeList
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from crm_agents.admin.badges import badge
from crm_agents.admin.base import RecordAdmin
from crm_agents.admin.worklists import WorklistChangeList
from crm_data.selectors import get_source, product_records
from recommender.admin.rule_form import RuleForm
from recommender.admin.rule_preview import preview_page
from recommender.choosing.effect import without_effect
from recommender.models import RecommendationRule, RuleAction
from recommender.services.rules import delete_rule, save_rule

MANAGE_RULES = "crm_agents_recommender.manage_rules"


class RuleAdmin(RecordAdmin):
    """Whoever sees scores sees the rules; making, changing and deleting one has its own permission."""

    form = RuleForm
    list_display = ("what", "about", "for_whom", "days", "effect", "note")
    list_display_links = ("what", "about")
    list_filter = ("action", "active")
    search_fields = ("product", "category", "note")
    search_help_text = gettext_lazy("Product's number, category or a part of the note")
    change_list_template = "crm_agents_recommender/rules.html"
    change_form_template = "crm_agents_recommender/rule_form.html"
    readonly_fields = ("effect", "created_by", "created_at")
    export_fields = (
        *("action", "product", "category", "strength", "at_most", "attribute", "value", "starts", "ends"),
        *("active", "note", "created_by__username", "created_at"),
    )

    def has_add_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm(MANAGE_RULES)

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return request.user.has_perm(MANAGE_RULES)

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return request.user.has_perm(MANAGE_RULES)

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        tenant = ("tenant",) if any(get_source().tenants()) else ()
        made = ("effect", "created_by", "created_at") if obj else ()
        what = (*tenant, "action", "product", "category", "strength", "at_most")
        return [
            (None, {"fields": what}),
            (_("For which customers"), {"fields": ("attribute", "value")}),
            (_("When, and why"), {"fields": ("starts", "ends", "active", "note", *made)}),
        ]

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        save_rule(obj, user=request.user)

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        delete_rule(obj, user=request.user)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> None:
        for rule in queryset:
            delete_rule(rule, user=request.user)

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view(self.preview_view)
        own = [path("preview/", view, name="crm_agents_recommender_preview")]
        return [*own, *super().get_urls()]

    def preview_view(self, request: HttpRequest) -> HttpResponse:
        return preview_page(self, request)

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        preview_url = (
            self.url("crm_agents_recommender_preview") if self.has_change_permission(request) else ""
        )
        context = {"preview_url": preview_url, **(extra_context or {})}
        return super().changeform_view(request, object_id, form_url, context)

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return WorklistChangeList

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        preview_url = self.url("crm_agents_recommender_preview")
        return super().changelist_view(request, {"preview_url": preview_url, **(extra_context or {})})

    def prepare(self, rules: Sequence[Any]) -> None:
        """Look up, for one page of rules, the names of their products and what they do today."""
        for tenant in {rule.tenant for rule in rules}:
            mine = [rule for rule in rules if rule.tenant == tenant]
            products = product_records({rule.product for rule in mine if rule.product}, tenant=tenant)
            why = without_effect(mine, tenant=tenant)
            for rule in mine:
                record = products.get(rule.product)
                vars(rule)["named"] = record.name if record else rule.product
                vars(rule)["why"] = why[rule.pk]

    @display(description=gettext_lazy("action"), ordering="action")
    def what(self, rule: RecommendationRule) -> str:
        if rule.action == RuleAction.CAP:
            return _("at most %(count)s") % {"count": rule.at_most}
        action = str(rule.get_action_display())
        return f"{action} × {rule.strength:g}" if rule.strength else action

    @display(description=gettext_lazy("product or category"))
    def about(self, rule: RecommendationRule) -> str | SafeString:
        if not rule.product:
            return rule.category or _("each category")
        named = vars(rule).get("named") or rule.product
        return named if named == rule.product else f"{named} ({rule.product})"

    @display(description=gettext_lazy("for"))
    def for_whom(self, rule: RecommendationRule) -> str:
        return f"{rule.attribute} = {rule.value}" if rule.attribute else _("every customer")

    @display(description=gettext_lazy("days"), ordering="ends")
    def days(self, rule: RecommendationRule) -> str:
        first, last = (date_format(day, "DATE_FORMAT") if day else "" for day in (rule.starts, rule.ends))
        if first and last:
            return f"{first} – {last}"
        if first or last:
            return _("from %(day)s") % {"day": first} if first else _("until %(day)s") % {"day": last}
        return _("always")

    @display(description=gettext_lazy("today"))
    def effect(self, rule: RecommendationRule) -> SafeString:
        known = vars(rule).get("why")
        why = without_effect([rule], tenant=rule.tenant)[rule.pk] if known is None else known
        if not why:
            return badge("good", _("in effect"))
        return format_html("{} {}", badge("warn", _("without effect")), why)
