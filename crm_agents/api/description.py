"""drf-spectacular's settings for these endpoints; plain values, so that a site's settings may import them."""

from typing import Any

DESCRIPTION: dict[str, Any] = {
    "TITLE": "CRM agents",
    "DESCRIPTION": "Recommendations and churn warnings for the customers that the user may see, and the life "
    "of the agents that make them. Customers of others are answered with 404, like ones that do not exist. "
    "Errors are `application/problem+json` (RFC 9457). Lists come in pages: follow `next`.",
    "VERSION": "1",
    "PREPROCESSING_HOOKS": ["crm_agents.api.schema.only_ours"],
}
