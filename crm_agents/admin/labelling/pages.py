"""What the pages of a label set share."""

from typing import TYPE_CHECKING, Any, Protocol

from django.http import HttpRequest
from django.template.response import TemplateResponse
from django.urls import URLPattern

from crm_agents.admin.base import Text
from crm_agents.models import LabelSet

if TYPE_CHECKING:
    from crm_agents.admin.labelling.sets import LabelSetAdmin

ANNOTATE = "crm_agents.annotate"
MANAGE = "crm_agents.manage_labels"


class Pages(Protocol):
    """Some pages about one label set."""

    def urls(self) -> list[URLPattern]:
        """Return the URL patterns, each view wrapped in `admin.admin_site.admin_view`."""


def set_page(
    admin: "LabelSetAdmin",
    request: HttpRequest,
    template: str,
    label_set: LabelSet,
    *,
    title: Text,
    **context: Any,
) -> TemplateResponse:
    """Answer with a page below that of the label set."""
    return admin.page(
        request,
        f"crm_agents/labelling/{template}.html",
        title=title,
        crumbs=[(str(label_set), admin.url_of(label_set))],
        label_set=label_set,
        back=admin.url_of(label_set),
        **context,
    )
