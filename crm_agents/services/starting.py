"""The version whose weights a run starts from: people choose a version, the trainer is given its folder.

A configuration names it by its id ("12"), or by "v3" for the third version of the same agent. A path is
never taken from people: the trainer would read whatever it names.
"""

import re

from django.utils.translation import gettext as _

from crm_agents.folders import artifact_folder
from crm_agents.models import Agent, ModelVersion
from handoff.config import TrainingConfig
from handoff.errors import HandoffError

SHAPE = ("backbone", "width", "layers", "heads")


def find_start(agent: Agent, text: str) -> ModelVersion | None:
    """Return the version that `start` names, None for "". Raises HandoffError where there is none."""
    if not text:
        return None
    versions = ModelVersion.objects.select_related("agent").filter(agent__tenant=agent.tenant)
    found = None
    if re.fullmatch(r"v[0-9]{1,9}", text):
        found = versions.filter(agent=agent, number=int(text[1:])).first()
    elif re.fullmatch(r"[0-9]{1,18}", text):
        found = versions.filter(pk=int(text)).first()
    if found is None:
        known = _("start is %(text)r; there is no such version. Give a version's id, or v3 for the third.")
        raise HandoffError(known % {"text": text})
    return found


def start_folder(agent: Agent, text: str) -> str:
    """Return the artifact folder of the version that `start` names, "" for none. Raises HandoffError."""
    version = find_start(agent, text)
    return str(artifact_folder(version)) if version else ""


def shape_of(version: ModelVersion) -> dict[str, str | int]:
    """Return what a run must share with a version to start from it. Raises HandoffError for a lost one."""
    config = TrainingConfig.read(artifact_folder(version))
    return {name: getattr(config, name) for name in SHAPE}
