"""Tells the Source's dry run what each registered agent asks of the data."""

from collections.abc import Iterator

from crm_agents.recipes import recipes, training_config
from crm_data.readiness import Requirement


def agent_requirements() -> Iterator[Requirement]:
    """Yield the least that each registered agent needs, by its recipe."""
    for recipe in recipes():
        config = training_config(recipe, dataset="")
        yield Requirement(
            agent=recipe.name,
            customers=config.minimum.customers,
            purchases=config.minimum.purchases,
            days=config.needed_days,
            kinds=config.outcome_kinds,
        )
