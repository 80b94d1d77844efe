"""What is sold."""

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from crm_data.admin.base import FastAdmin


class ProductAdmin(FastAdmin):
    list_display = ("code", "name", "category", "price", "available")
    list_display_links = ("code", "name")
    list_filter = ("available", ("category", admin.AllValuesFieldListFilter))
    search_fields = ("code__istartswith", "name__icontains")
    search_help_text = _("Beginning of the code, or a part of the name.")
    export_fields = ("code", "name", "category", "price", "cost", "available", "attributes")
