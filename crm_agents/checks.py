"""System checks of the settings: a wrong one is found before an agent is started."""

from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, register
from django.core.exceptions import ImproperlyConfigured

from crm_agents.recipes import Recipe, recipes, training_config
from crm_data.conf import setting
from handoff.errors import HandoffError


@register()
def agent_settings_check(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """Try the settings of every registered recipe; an agent that nobody registers is an error, too."""
    return [*_unknown(), *(error for recipe in recipes() for error in _wrong(recipe))]


@register()
def time_zone_check(app_configs: Any = None, **kwargs: Any) -> list[CheckMessage]:
    """Refuse a project whose own tables would hold times without a zone."""
    if settings.USE_TZ:
        return []
    return [
        Error(
            "USE_TZ is off, but leases, snapshots and scores are kept in times with a zone.",
            hint="Set USE_TZ = True. Where a database holds local times, name their zone in its TIME_ZONE, "
            "beside its ENGINE and NAME.",
            id="crm_agents.E003",
        )
    ]


def _unknown() -> Iterator[CheckMessage]:
    known = {recipe.name for recipe in recipes()}
    configured: dict[str, Any] = getattr(settings, "CRM_AGENTS", {})
    for name in sorted(set(configured.get("FRESH_AGENTS", ())) - known):
        yield Error(
            f'CRM_AGENTS["FRESH_AGENTS"] names {name!r}, but no installed app registers that agent.',
            hint=f"Registered are: {', '.join(sorted(known)) or 'none'}.",
            id="crm_agents.E004",
        )
    for name in sorted(set(setting("AGENTS")) - known):
        yield Error(
            f'CRM_AGENTS["AGENTS"] has settings of {name!r}, but no installed app registers that agent.',
            hint=f"Registered are: {', '.join(sorted(known)) or 'none'}.",
            id="crm_agents.E001",
        )


def _wrong(recipe: Recipe) -> Iterator[CheckMessage]:
    try:
        training_config(recipe, dataset="")
        recipe.score_fields(None, {})
    except (HandoffError, ImproperlyConfigured) as error:
        yield Error(str(error), hint=f'Correct CRM_AGENTS["AGENTS"]["{recipe.name}"].', id="crm_agents.E002")
