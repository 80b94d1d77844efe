"""One shard of a scoring in the worker: supervised scorer, rows, and the last one publishes."""

from functools import partial
from pathlib import Path
from uuid import UUID

from django.db import close_old_connections, transaction
from django.utils import timezone

from crm_agents.folders import artifact_folder, artifact_root, score_file
from crm_agents.jsonable import storable
from crm_agents.models import Agent, RunStatus, ScoringRun, ScoringShard
from crm_agents.services import audit
from crm_agents.services.keeping import Keeper
from crm_agents.services.leases import Lease, claim
from crm_agents.services.score_writing import write_scores
from crm_agents.services.scoring import end_scoring, publish_if_complete
from crm_agents.services.settling import settle
from crm_agents.services.side_tables import write_side_tables
from crm_agents.services.supervision import ChildFailed, explain_exit, run_child, tail
from crm_agents.services.watching.recording import record_scoring
from crm_data.conf import root
from crm_data.selectors import snapshot_folder
from handoff.artifact import check_artifact
from handoff.errors import HandoffError


def score_shard(shard_id: UUID | str) -> None:
    """Score one queued shard; nothing where another worker has it or it is finished."""
    lease = claim(ScoringShard, shard_id, RunStatus.SCORING)
    if lease is None:
        return
    shard = ScoringShard.objects.select_related(
        "scoring__agent", "scoring__version__agent", "scoring__snapshot"
    ).get(pk=shard_id)
    settle(lease, partial(_score, shard, lease), partial(fail_shard, shard, lease))
    _tidy(shard)


def fail_shard(shard: ScoringShard, lease: Lease | None, message: str) -> None:
    """Fail a shard and with it the whole scoring: what is live stays live."""
    message = str(storable(message))
    with transaction.atomic():
        agent = Agent.objects.select_for_update().get(pk=shard.scoring.agent_id)
        if lease is not None:
            lease.finish(RunStatus.FAILED, error=message)
        if end_scoring(shard.scoring, RunStatus.FAILED, f"Shard {shard.shard}: {message}"):
            audit.record(agent, "scoring.failed", shard.scoring.version, detail={"error": message})


def _score(shard: ScoringShard, lease: Lease, keeper: Keeper) -> None:
    scoring = shard.scoring
    ScoringRun.objects.filter(pk=scoring.pk, status=RunStatus.QUEUED).update(
        status=RunStatus.SCORING, started_at=timezone.now()
    )
    path = _infer(shard, keeper)
    rows = write_scores(scoring, path, lease)
    write_side_tables(scoring, shard.shard, path, lease)
    keeper.check()
    with transaction.atomic():
        agent = Agent.objects.select_for_update().get(pk=scoring.agent_id)
        lease.finish(RunStatus.SUCCEEDED, rows=rows)
        publish_if_complete(agent, scoring)


def _infer(shard: ScoringShard, keeper: Keeper) -> Path:
    """Run the scorer over the shard and return its file."""
    scoring = shard.scoring
    if scoring.snapshot is None:
        raise HandoffError(f"Scoring {scoring.pk} has no snapshot.")
    artifact = artifact_folder(scoring.version)
    check_artifact(artifact, root=artifact_root(), sha256=scoring.version.artifact_sha256)
    path = score_file(shard)
    path.parent.mkdir(parents=True, exist_ok=True)
    log = path.with_suffix(".log")
    arguments = ["score", str(artifact), str(snapshot_folder(scoring.snapshot)), "--root", str(root())]
    arguments += ["--shard", str(shard.shard), "--as-of", scoring.as_of.isoformat(), "--out", str(path)]
    code = run_child(arguments, log=log, watch=keeper.check)
    close_old_connections()  # idle while the scorer worked
    if code != 0:
        raise ChildFailed(explain_exit(code, tail(log)))
    return path


def _tidy(shard: ScoringShard) -> None:
    """Once the whole scoring has ended, keep what watching needs of it and remove its files."""
    scorings = ScoringRun.objects.select_related("agent", "version__agent")
    scoring = scorings.filter(pk=shard.scoring_id).first()
    if scoring is not None and not scoring.is_active:
        record_scoring(scoring)
