"""The admin sites that carry our pages: one by default, several in a host that has several."""

from typing import Any

from django.contrib.admin import AdminSite, ModelAdmin
from django.core.exceptions import ImproperlyConfigured
from django.db.models import Model
from django.utils.module_loading import import_string

from crm_data.conf import setting


def configured_sites() -> list[AdminSite]:
    """Return the sites named in `CRM_AGENTS["ADMIN_SITES"]`, each once.

    Raises ImproperlyConfigured naming a path that cannot be imported or is no admin site.
    """
    sites: list[AdminSite] = []
    for path in setting("ADMIN_SITES"):
        site = _site(path)
        if all(site is not known for known in sites):
            sites.append(site)
    return sites


def register(model: type[Model], admin_class: "type[ModelAdmin[Any]]") -> None:
    """Register `model` on every configured site; a site that has an admin of its own for it keeps that."""
    for site in configured_sites():
        if not site.is_registered(model):
            site.register(model, admin_class)


def _site(path: str) -> AdminSite:
    remedy = 'CRM_AGENTS["ADMIN_SITES"] lists dotted paths of site objects, e.g. "django.contrib.admin.site".'
    try:
        site = import_string(path)
    except ImportError as error:
        raise ImproperlyConfigured(
            f"The admin site {path!r} cannot be imported ({error}). {remedy}"
        ) from error
    # The default site is a lazy object, so that it is asked for its manners, not for its class.
    if not (hasattr(site, "register") and hasattr(site, "admin_view")):
        raise ImproperlyConfigured(f"{path!r} is {type(site).__name__}, not an admin site. {remedy}")
    return site  # type: ignore[no-any-return]
