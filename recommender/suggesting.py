"""A field of text that offers words to choose from, without a script."""

from collections.abc import Callable, Iterable
from typing import Any

from django import forms
from django.core.cache import cache
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from crm_data.choices import product_categories

KEPT_SECONDS = 600


class Suggesting(forms.TextInput):
    """Other words may be typed, too; those that are offered are asked for when the field is shown."""

    def __init__(self, words: Callable[[], Iterable[str]], attrs: dict[str, Any] | None = None) -> None:
        super().__init__(attrs)
        self.words = words

    def render(
        self, name: str, value: Any, attrs: dict[str, Any] | None = None, renderer: Any = None
    ) -> SafeString:
        list_id = f"{(attrs or {}).get('id', name)}_words"
        field = super().render(name, value, {**(attrs or {}), "list": list_id}, renderer)
        options = format_html_join("", '<option value="{}">', ((word,) for word in self.words()))
        return format_html('{}<datalist id="{}">{}</datalist>', field, list_id, options)


def categories(tenant: str) -> list[str]:
    """Return the categories of the tenant's products, kept for a while: they seldom change."""
    key = f"crm_agents_recommender.categories.{tenant}"
    found: list[str] | None = cache.get(key)
    if found is None:
        found = product_categories(tenant=tenant)
        cache.set(key, found, KEPT_SECONDS)
    return found
