"""drf-spectacular's settings for these endpoints; plain values, so that a site's settings may import them."""

from typing import Any

DESCRIPTION: dict[str, Any] = {
    "TITLE": "CRM agents",
    "DESCRIPTION": "Recommendations and churn warnings for the customers that the user may see, and the life "
    "of the agents that make them. Customers of others are answered with 404, like ones that do not exist. "
    "Errors are `application/problem+json` (RFC 9457). Lists come in pages: follow `next`.",
    "VERSION": "1",
    # Fields of one name whose values differ.
    "ENUM_NAME_OVERRIDES": {
        "RunStatusEnum": "crm_agents.models.RunStatus",
        "SweepStatusEnum": "crm_agents.models.SweepStatus",
        "LabelStatusEnum": "crm_agents.models.ItemStatus",
        "SweepKindEnum": "crm_agents.models.SweepKind",
        "AlertKindEnum": "crm_agents.models.AlertKind",
        "AnnotationKindEnum": "crm_agents.models.AnnotationKind",
        "ExperimentKindEnum": "crm_agents.models.ExperimentKind",
    },
    "PREPROCESSING_HOOKS": ["crm_agents.api.schema.only_ours"],
}
