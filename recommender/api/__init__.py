"""The recommender's REST endpoint, included by `crm_agents.api.urls`."""
