"""Filters whose choices are known without reading the table."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from crm_data.models import InteractionKind

OTHER = "other"


class KindFilter(admin.SimpleListFilter):
    """The well-known kinds, and all the rest as one."""

    title = _("kind")
    parameter_name = "kind"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [*InteractionKind.choices, (OTHER, _("other"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        chosen = self.value()
        if chosen == OTHER:
            return queryset.exclude(kind__in=InteractionKind.values)
        return queryset.filter(kind=chosen) if chosen in InteractionKind.values else queryset


class OwnerFilter(admin.SimpleListFilter):
    """Mine, nobody's: a list of all users would be as long as the host has users."""

    title = _("sales rep")
    parameter_name = "owner"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [("me", _("my customers")), ("nobody", _("without a sales rep"))]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() == "me":
            return queryset.filter(owner=request.user)
        return queryset.filter(owner=None) if self.value() == "nobody" else queryset
