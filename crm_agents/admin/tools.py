"""Pages that hang on an agent or a version: each is a module that offers its URLs and its links."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from django.http import HttpRequest
from django.urls import URLPattern

from crm_agents.admin.base import Text

if TYPE_CHECKING:
    from crm_agents.admin.base import AgentsAdmin


@dataclass(frozen=True)
class Link:
    """A way to a tool's page; `note` is a word on what waits there, in the colour `tone`."""

    text: Text
    url: str
    note: Text = ""
    tone: str = "neutral"


class Tool(Protocol):
    """Pages about one row of the admin they are mounted on."""

    def urls(self, admin: "AgentsAdmin") -> list[URLPattern]:
        """Return the URL patterns, each view wrapped in `admin.admin_site.admin_view`."""

    def links(self, admin: "AgentsAdmin", request: HttpRequest, row: Any) -> list[Link]:
        """Return the links that this user may follow from the row's page."""


def agent_tools() -> Sequence[Tool]:
    """Return the tools of an agent's page, in their order."""
    from crm_agents.admin.agent_settings import SettingsTool  # they import this module
    from crm_agents.admin.data import DataTool
    from crm_agents.admin.experiments import ExperimentsTool
    from crm_agents.admin.labelling.tool import LabelsTool
    from crm_agents.admin.tuning import TuningTool
    from crm_agents.admin.watching.tools import WatchingTool

    return (DataTool(), LabelsTool(), TuningTool(), WatchingTool(), ExperimentsTool(), SettingsTool())


def version_tools() -> Sequence[Tool]:
    """Return the tools of a version's page, in their order."""
    from crm_agents.admin.comparing import CompareTool  # they import this module
    from crm_agents.admin.compression import CompressionTool
    from crm_agents.admin.privacy.tool import PrivacyTool
    from crm_agents.admin.watching.tools import ShadowTool

    return (CompareTool(), CompressionTool(), ShadowTool(), PrivacyTool())
