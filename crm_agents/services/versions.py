"""From a finished run folder to a numbered version: all of it, or nothing."""

import shutil
from pathlib import Path
from typing import Any

from django.db import transaction
from django.db.models import Max

from crm_agents.folders import PREDICTIONS, agent_artifacts, artifact_root, records_folder, staging_folder
from crm_agents.jsonable import storable
from crm_agents.models import Agent, ModelVersion, RunStatus, TrainingRun
from crm_agents.models.agent import Verdict
from crm_agents.recipes import get_recipe
from crm_agents.services import audit
from crm_agents.services.gate import Judgement, judge
from crm_agents.services.leases import Lease
from crm_agents.services.scoring import fail_to_start, start_scoring
from crm_agents.services.starting import find_start
from handoff.artifact import check_artifact
from handoff.errors import HandoffError
from handoff.files import publish_folder, read_json, sha256_of, write_bytes


def keep_version(run: TrainingRun, lease: Lease, folder: Path, *, log_tail: str) -> ModelVersion:
    """Store the run's artifact as the agent's next version, judge it, and finish the run.

    The row, the run's end and a scoring that is due are one transaction, and the artifact is in place
    before it: a crash at any point leaves either no version, and the run to be resumed, or the whole.
    A scoring that cannot be started fails on its own; the version is kept.
    Raises HandoffError for an artifact that is damaged, LeaseLost when another worker has the run.
    """
    evaluation = read_json(folder / "evaluation.json")
    judgement = judge(get_recipe(run.agent.name).gate, evaluation)
    staged = _stage(run, folder / "artifact")
    with transaction.atomic():
        agent = Agent.objects.select_for_update().get(pk=run.agent_id)
        lease.write()  # before anything is moved: the lease must be ours, and stays so until the commit
        version = _create(agent, run, folder, staged, storable(evaluation), judgement)
        lease.finish(RunStatus.SUCCEEDED, log_tail=log_tail)
        if judgement.passed and run.publish:
            _score(agent, version, run)
    return version


def _parent(agent: Agent, run: TrainingRun) -> ModelVersion | None:
    """Return the version that the run started from, where it is still there."""
    try:
        return find_start(agent, str({**agent.config, **run.config}.get("start", "")))
    except HandoffError:
        return None


def _score(agent: Agent, version: ModelVersion, run: TrainingRun) -> None:
    try:
        start_scoring(agent, version=version, user=run.started_by, supersede=True)
    except HandoffError as error:
        fail_to_start(agent, version, str(error))


def _stage(run: TrainingRun, artifact: Path) -> Path:
    """Copy the artifact next to its final place and check the copy."""
    staged = staging_folder(run)
    shutil.rmtree(staged, ignore_errors=True)
    check_artifact(artifact, root=artifact.parent)
    shutil.copytree(artifact, staged)
    check_artifact(staged, root=artifact_root())
    return staged


def _create(
    agent: Agent,
    run: TrainingRun,
    folder: Path,
    staged: Path,
    evaluation: dict[str, Any],
    judgement: Judgement,
) -> ModelVersion:
    if run.snapshot is None:
        raise HandoffError(f"Run {run.pk} has no snapshot.")
    number = (agent.versions.aggregate(last=Max("number"))["last"] or 0) + 1
    place = agent_artifacts(agent) / str(number)
    digest = sha256_of(staged / "manifest.json")
    publish_folder(staged, place)  # replaces what a crash before the commit may have left there
    version = ModelVersion(
        agent=agent,
        number=number,
        run=run,
        artifact=place.relative_to(artifact_root()).as_posix(),
        artifact_sha256=digest,
        snapshot=run.snapshot,
        evaluation=evaluation,
        verdict=Verdict.PASSED if judgement.passed else Verdict.FAILED,
        verdict_reasons=judgement.reasons,
        parent=_parent(agent, run),
    )
    _keep_predictions(version, folder)
    version.save()
    detail = {"verdict": version.verdict, "reasons": version.verdict_reasons}
    audit.record(agent, "version.created", version, user=run.started_by, detail=detail)
    return version


def _keep_predictions(version: ModelVersion, folder: Path) -> None:
    """Copy what was said of each example, where the trainer left it, beside the artifact and not into it."""
    place = records_folder(version)
    shutil.rmtree(place, ignore_errors=True)  # of a version that was never committed
    if (folder / PREDICTIONS).is_file():
        place.mkdir(parents=True)
        write_bytes(place / PREDICTIONS, (folder / PREDICTIONS).read_bytes())
