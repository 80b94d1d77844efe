"""The live version takes a newer version's test: on the same window, the two can be compared in pairs.

Each run takes a new snapshot, so its test window is a later one. What the live version did on its own window
says little about the newer one's: the season lies between them.
"""

import logging
import shutil

from crm_agents.folders import again_file, artifact_folder, artifact_root, predictions_file
from crm_agents.models import ModelVersion
from crm_agents.services.comparing import compare_with_live, test_window
from crm_agents.services.supervision import ChildStopped, run_child, tail
from crm_data.selectors import snapshot_folder
from handoff.errors import HandoffError
from handoff.files import read_json

logger = logging.getLogger(__name__)


def measure_live_again(version: ModelVersion) -> None:
    """Measure the live version on this one's window where theirs differ, and compare them ahead of the page.

    The version stands, whatever becomes of this: what goes wrong is logged, and the page says that nothing
    can be paired.
    """
    live = version.agent.live_version
    if live is None or live.pk == version.pk or not predictions_file(version).is_file():
        return
    try:
        if test_window(live) != test_window(version):
            _measure(live, version)
        compare_with_live(version)
    except (ChildStopped, HandoffError, OSError):
        logger.exception("Could not measure %s on the window of %s.", live, version)


def _measure(live: ModelVersion, version: ModelVersion) -> None:
    window = test_window(version)
    if window is None:
        return
    place = again_file(live, version).parent
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    log, measured = place / "evaluate.log", place / "evaluation.json"
    options = {"root": artifact_root(), "test-cutoff": window[0], "out": measured, "examples": place}
    arguments = [part for name, value in options.items() for part in (f"--{name}", str(value))]
    folders = [str(artifact_folder(live)), str(snapshot_folder(version.snapshot))]
    code = run_child(["evaluate", *folders, *arguments], log=log, watch=lambda: None)
    if code != 0 or read_json(measured).get("windows", {}).get("test") != window:
        logger.warning("%s cannot be measured on the window of %s: %s", live, version, tail(log))
        shutil.rmtree(place, ignore_errors=True)
