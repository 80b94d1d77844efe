"""A run's settings as YAML: what the form downloads is what the command reads."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import yaml
from django.utils.translation import gettext as _

from crm_agents.models import Agent
from crm_agents.services.runs import RESERVED, planned_config
from handoff.config import TrainingConfig, check_types
from handoff.errors import HandoffError


def all_settings(agent: Agent, overrides: Mapping[str, Any]) -> dict[str, Any]:
    """Return every setting of a run as plain values; `start` as people name it. Raises HandoffError."""
    config = asdict(planned_config(agent, overrides))
    config["start"] = str({**agent.config, **overrides}.get("start", ""))
    return {name: _plain(value) for name, value in config.items() if name not in RESERVED}


def changed_settings(agent: Agent, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return what of `settings` differs from the agent's own. Raises HandoffError naming a bad value."""
    own = all_settings(agent, {})
    given = all_settings(agent, settings)
    return {name: given[name] for name in settings if given[name] != own[name]}


def write_yaml(agent: Agent, settings: Mapping[str, Any]) -> str:
    """Return settings as a YAML document that says how it is used."""
    head = f"# manage.py agent train {agent.name} --config FILE\n"
    return head + yaml.safe_dump(dict(settings), sort_keys=False, allow_unicode=True)


def read_yaml(text: str) -> dict[str, Any]:
    """Return the settings of a YAML document. Raises HandoffError naming what is wrong with it."""
    found = read_mapping(text)
    reserved = sorted(set(found) & set(RESERVED))
    if reserved:
        raise HandoffError(
            _("%(names)s is set by the agent itself and cannot be overridden.")
            % {"names": ", ".join(reserved)}
        )
    return check_types(TrainingConfig, found)


def read_mapping(text: str) -> dict[str, Any]:
    """Return a YAML document that maps names to values. Raises HandoffError for any other."""
    try:
        found = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise HandoffError(_("This is not YAML: %(error)s") % {"error": error}) from error
    if found is None:
        return {}
    if not isinstance(found, Mapping) or not all(isinstance(name, str) for name in found):
        raise HandoffError(_("The YAML must map settings to values, such as “epochs: 3”."))
    return dict(found)


def _plain(value: Any) -> Any:
    """Return a value without tuples, which YAML has no plain word for."""
    if isinstance(value, Mapping):
        return {name: _plain(inner) for name, inner in value.items()}
    return list(value) if isinstance(value, tuple | list) else value
