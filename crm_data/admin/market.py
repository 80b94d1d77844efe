"""Dated series of the market."""

from crm_data.admin.base import FastAdmin


class MarketIndicatorAdmin(FastAdmin):
    list_display = ("series", "scope", "date", "value", "known_ahead")
    list_filter = ("known_ahead", "date")
    search_fields = ("series__startswith", "scope__startswith")
    ordering = ("series", "scope", "date")
