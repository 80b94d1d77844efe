"""How scores turned out: once the horizon has passed, old scores are held against what happened."""

import datetime as dt
import logging
from pathlib import Path
from typing import Any
from uuid import UUID

from celery import current_app
from django.db import close_old_connections
from django.utils import timezone

from crm_agents.folders import artifact_folder, artifact_root, kept_folder
from crm_agents.jsonable import storable
from crm_agents.models import Agent, ModelVersion, RunStatus, ScoringRun
from crm_agents.services.scoring import last_event, newest_snapshot
from crm_agents.services.supervision import ChildFailed, ChildStopped, explain_exit, run_child, tail
from crm_agents.services.watching.alone import alone
from crm_agents.services.watching.kept import SCORES, drop_scores
from crm_data.conf import root, setting
from crm_data.selectors import snapshot_folder
from handoff.artifact import check_artifact
from handoff.config import TrainingConfig
from handoff.errors import HandoffError
from handoff.files import read_json

logger = logging.getLogger(__name__)

TASK = "crm_agents.tasks.judge_scoring"
AT_ONCE = 20  # scorings of an agent that are sent for at a time
EXPIRES = 300.0  # seconds: what no worker took by then is sent for again


def scorings_to_judge(agent: Agent) -> list[ScoringRun]:
    """Return the scorings whose whole horizon the newest snapshot covers, and which nobody has judged."""
    snapshot = newest_snapshot(agent)
    if snapshot is None:
        return []
    until = last_event(snapshot)
    waiting = ScoringRun.objects.filter(agent=agent, status=RunStatus.SUCCEEDED, realised_at=None)
    horizons: dict[int, dt.timedelta | None] = {}
    due = []
    for scoring in waiting.filter(as_of__lt=until).select_related("version").order_by("as_of"):
        if scoring.version_id not in horizons:
            horizons[scoring.version_id] = _horizon(scoring.version)
        horizon = horizons[scoring.version_id]
        if horizon is not None and scoring.as_of + horizon <= until:
            due.append(scoring)
    return due[:AT_ONCE]


def send_for_judging(agent: Agent) -> int:
    """Have a worker judge what is due; return how many scorings that is. Sent again until one did."""
    due = scorings_to_judge(agent)
    for scoring in due:
        current_app.send_task(TASK, args=[str(scoring.pk)], expires=EXPIRES)
    return len(due)


def judge_scoring(scoring_id: UUID | str) -> bool:
    """Judge one scoring, on a worker; False where another is at it, or it is done.

    A failure is kept as the answer. A worker that dies leaves nothing, and the next one begins anew: at
    most MAX_ATTEMPTS times.
    """
    scoring = (
        ScoringRun.objects.select_related("agent", "version__agent")
        .filter(pk=scoring_id, status=RunStatus.SUCCEEDED, realised_at=None)
        .first()
    )
    if scoring is None:
        return False
    folder = kept_folder(scoring)
    if not (folder / SCORES).exists():
        return _store(scoring, {"problem": "not_kept"})
    with alone(folder) as first:
        if first and ScoringRun.objects.filter(pk=scoring.pk, realised_at=None).exists():
            try:
                return _store(scoring, _judged(scoring, folder))
            except ChildStopped:
                logger.info("%s will be judged by another worker.", scoring)
    return False


def _judged(scoring: ScoringRun, folder: Path) -> dict[str, Any]:
    attempts = _count_attempt(folder)
    if attempts > setting("MAX_ATTEMPTS"):
        return {"problem": "attempts", "attempts": attempts - 1}
    try:
        return _judge(scoring, folder)
    except (HandoffError, ChildFailed, OSError) as error:
        return {"problem": "failed", "error": str(error)}


def _judge(scoring: ScoringRun, folder: Path) -> dict[str, Any]:
    snapshot = newest_snapshot(scoring.agent)
    if snapshot is None:
        raise HandoffError("There is no snapshot to judge by.")
    artifact, out, log = artifact_folder(scoring.version), folder / "realised.json", folder / "judge.log"
    check_artifact(artifact, root=artifact_root(), sha256=scoring.version.artifact_sha256)
    arguments = ["judge", str(artifact), str(snapshot_folder(snapshot)), "--root", str(root())]
    arguments += ["--scores", str(folder / SCORES), "--as-of", scoring.as_of.isoformat(), "--out", str(out)]
    out.unlink(missing_ok=True)
    code = run_child(arguments, log=log, watch=lambda: None)
    close_old_connections()
    if code or not out.exists():
        raise ChildFailed(explain_exit(code, tail(log)))
    return read_json(out)


def _store(scoring: ScoringRun, facts: dict[str, Any]) -> bool:
    if facts.get("problem"):
        logger.warning("%s cannot be judged: %s", scoring, facts)
    waiting = ScoringRun.objects.filter(pk=scoring.pk, realised_at=None)
    stored = bool(waiting.update(realised=storable(facts), realised_at=timezone.now()))
    live = Agent.objects.filter(live_scoring=scoring.pk)
    if not live.exists():  # what is live is still compared with a shadow
        drop_scores(scoring)
    return stored


def _count_attempt(folder: Path) -> int:
    """Note that one more worker began, before it does: one that dies of it must not try for ever."""
    path = folder / "attempts"
    with path.open("a") as file:
        file.write("x")
    return path.stat().st_size


def _horizon(version: ModelVersion) -> dt.timedelta | None:
    try:
        return dt.timedelta(days=TrainingConfig.read(artifact_folder(version)).horizon_days)
    except HandoffError as error:
        logger.warning("%s cannot be judged: %s", version, error)
        return None
