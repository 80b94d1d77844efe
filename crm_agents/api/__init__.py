"""REST under one include: `path("api/v1/", include("crm_agents.api.urls"))`."""
