"""The live version takes a newer version's test: on the same window, the two can be compared in pairs.

Each run takes a new snapshot, so its test window is a later one. What the live version did on its own window
says little about the newer one's: the season lies between them.
"""

import logging
import shutil
from pathlib import Path

from celery import current_app

from crm_agents.folders import again_file, artifact_folder, artifact_root, predictions_file
from crm_agents.models import Agent, ModelVersion
from crm_agents.services.comparing import compare_with_live, test_window
from crm_agents.services.supervision import ChildStopped, run_child, tail
from crm_agents.services.watching.alone import alone
from crm_data.selectors import snapshot_folder
from handoff.errors import HandoffError
from handoff.files import read_json

logger = logging.getLogger(__name__)

TASK = "crm_agents.tasks.measure_live_again"
EXPIRES = 300.0  # seconds: what no worker took by then is sent for again
MEASURED = "evaluation.json"


def measure_live_again(version: ModelVersion) -> None:
    """Measure the live version on this one's window where theirs differ, and compare them ahead of the page.

    The version stands, whatever becomes of this: what goes wrong is logged, and the page says that nothing
    can be paired.
    """
    live = version.agent.live_version
    if live is None or live.pk == version.pk or not predictions_file(version).is_file():
        return
    place = again_file(live, version).parent
    try:
        window = test_window(version)
        if window is not None and test_window(live) != window:
            with alone(place) as first:
                if first:
                    _measure(live, version, place, window)
        compare_with_live(version)
    except ChildStopped:
        logger.info("%s will be measured on the window of %s by another worker.", live, version)
    except (HandoffError, OSError):
        logger.exception("Could not measure %s on the window of %s.", live, version)
        shutil.rmtree(place, ignore_errors=True)


def send_for_measuring(agent: Agent) -> bool:
    """Have a worker take over from one that died while it measured; False where there is nothing to do."""
    newest = agent.versions.order_by("-number").first()
    if newest is None or agent.live_version is None or newest.pk == agent.live_version_id:
        return False
    place = again_file(agent.live_version, newest).parent
    if not place.exists() or (place / MEASURED).exists():
        return False
    current_app.send_task(TASK, args=[newest.pk], expires=EXPIRES)
    return True


def _measure(live: ModelVersion, version: ModelVersion, place: Path, window: list[str]) -> None:
    log, measured = place / "evaluate.log", place / MEASURED
    measured.unlink(missing_ok=True)
    options = {"root": artifact_root(), "test-cutoff": window[0], "out": measured, "examples": place}
    arguments = [part for name, value in options.items() for part in (f"--{name}", str(value))]
    folders = [str(artifact_folder(live)), str(snapshot_folder(version.snapshot))]
    code = run_child(["evaluate", *folders, *arguments], log=log, watch=lambda: None)
    if code != 0 or read_json(measured).get("windows", {}).get("test") != window:
        logger.warning("%s cannot be measured on the window of %s: %s", live, version, tail(log))
        shutil.rmtree(place, ignore_errors=True)
