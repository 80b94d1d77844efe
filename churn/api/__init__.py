"""The churn agent's REST endpoints, included by `crm_agents.api.urls`."""
