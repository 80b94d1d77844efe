from crm_agents.models import Agent
from crm_agents.recipes import get_recipe, recipes


def get_agent(name: str, *, tenant: str = "") -> Agent:
    """Return the agent of a registered recipe, made at its first use.

    Raises LookupError naming the registered recipes.
    """
    recipe = get_recipe(name)
    return Agent.objects.get_or_create(name=recipe.name, tenant=tenant)[0]


def ensure_agents(tenant: str = "") -> list[Agent]:
    """Return one agent for every registered recipe."""
    return [get_agent(recipe.name, tenant=tenant) for recipe in recipes()]
