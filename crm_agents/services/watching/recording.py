"""What a scoring leaves behind once it has ended: its kept scores, its drift, and a clean folder."""

import logging
import shutil
from pathlib import Path

from crm_agents.folders import artifact_folder, score_folder
from crm_agents.jsonable import storable
from crm_agents.models import RunStatus, ScoringRun
from crm_agents.services.retention import delete_old_scores, erase_removed_customers
from crm_agents.services.watching.alerting import check_alerts
from crm_agents.services.watching.alone import alone
from crm_agents.services.watching.beside import compare_shadow
from crm_agents.services.watching.drift import measure_drift
from crm_agents.services.watching.kept import keep_scores, thin_out
from crm_data.conf import root
from handoff.errors import HandoffError

logger = logging.getLogger(__name__)


def record_scoring(scoring: ScoringRun) -> None:
    """Keep what watching needs of an ended scoring, then remove its files and superfluous score sets.

    May be done again, as after a crash: the shards' files go last.
    """
    files = score_folder(scoring.pk)
    if not files.exists():
        return
    with alone(files) as first:
        if not first:
            return
        if scoring.status == RunStatus.SUCCEEDED:
            _keep(scoring, files)
        shutil.rmtree(files, ignore_errors=True)
    delete_old_scores(scoring.agent)
    erase_removed_customers(scoring.agent)
    check_alerts(scoring.agent)


def record_leftovers() -> int:
    """Record the ended scorings whose worker died before it could; return how many."""
    folders = [folder.name for folder in (root() / "scores").glob("*-*") if folder.is_dir()]
    done = 0
    for scoring in ScoringRun.objects.select_related("agent", "version__agent").filter(pk__in=folders):
        if not scoring.is_active:
            record_scoring(scoring)
            done += 1
    return done


def _keep(scoring: ScoringRun, files: Path) -> None:
    """Note what went wrong rather than fail: the scores themselves are out already."""
    try:
        keep_scores(scoring, sorted(files.glob("shard-*.parquet")))
        profiles = sorted(files.glob("*.profile.json"))
        facts = measure_drift(artifact_folder(scoring.version), profiles)
        ScoringRun.objects.filter(pk=scoring.pk).update(drift=storable(facts))
        compare_shadow(scoring.agent)
        thin_out(scoring)
    except (HandoffError, OSError) as error:
        logger.warning("%s cannot be watched: %s", scoring, error)
        ScoringRun.objects.filter(pk=scoring.pk).update(drift={"problem": str(error)})
