"""Who may call what: the host's own permission classes first, then one codename for each method."""

from typing import Any

from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.views import APIView

VIEW_SCORES = "crm_agents.view_scores"
GIVE_FEEDBACK = "crm_agents.give_feedback"
MANAGE_RUNS = "crm_agents.manage_runs"
PROMOTE_VERSION = "crm_agents.promote_version"
ANNOTATE = "crm_agents.annotate"
MANAGE_LABELS = "crm_agents.manage_labels"
ADD_INTERACTION = "crm_data.add_interaction"
DELETE_CUSTOMER = "crm_data.delete_customer"
MANAGE_PRIVACY = "crm_agents.manage_privacy"


class HoldsPermission(BasePermission):
    """Demand the permission that the view names in `required_permissions` for the request's method."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        required: dict[str, str] = getattr(view, "required_permissions", {})
        method = "GET" if request.method == "HEAD" else str(request.method)
        user: Any = request.user
        # A method that no permission is named for does not exist; it is answered with 405, not 403.
        return method not in required or user.has_perm(required[method])
