"""A word on a version's page where it learnt from customers who were erased since."""

from urllib.parse import urlencode

from django.http import HttpRequest
from django.urls import URLPattern
from django.utils.translation import gettext as _

from crm_agents.admin.base import AgentsAdmin
from crm_agents.admin.privacy.pages import MANAGE_PRIVACY
from crm_agents.admin.tools import Link
from crm_agents.models import ModelVersion


class PrivacyTool:
    """Leads from a tainted version to the overview; it has no page of its own."""

    def urls(self, admin: AgentsAdmin) -> list[URLPattern]:
        return []

    def links(self, admin: AgentsAdmin, request: HttpRequest, row: ModelVersion) -> list[Link]:
        if not row.snapshot.erased or not request.user.has_perm(MANAGE_PRIVACY):
            return []
        tenant = f"?{urlencode({'tenant': row.agent.tenant})}" if row.agent.tenant else ""
        url = admin.url("crm_agents_privacy") + tenant
        return [Link(_("Privacy"), url, _("learnt from erased customers"), "warn")]
