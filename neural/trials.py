"""`python -m neural try`: one trial of a search. It ends with the validation window.

Nothing of the test window is read, so however many trials are compared, the figures that the test window
gives to the version chosen at last stay honest.
"""

import time
from pathlib import Path
from typing import Any

from handoff.files import write_json
from handoff.progress import Outcome, ProgressWriter
from neural.preparation import prepare
from neural.runs import REPORT, StopFlag, finish


def attempt(folder: Path, *, checkpoint_seconds: float = 20.0, root: Path | None = None) -> Outcome:
    """Run, or go on with, the trial of `folder`. Raises Stopped on SIGTERM and HandoffError for bad input."""

    def work(progress: ProgressWriter, stop: StopFlag) -> None:
        clock = time.monotonic()
        ready = prepare(folder, progress, stop, test=False, root=root, checkpoint_seconds=checkpoint_seconds)
        course = ready.course
        state = course.fit(ready.fitter)
        progress.write("evaluating", 0, 1)
        stop.check()
        course.calibrate()
        measured = course.report(course.windows.validation)
        found = next((row for row in state.curve or [] if row["epoch"] == state.best_epoch), {})
        report: dict[str, Any] = {
            "metric": course.metric,
            "value": state.best,  # None where the validation window holds nobody
            "epoch": state.best_epoch,
            "epochs": state.epoch,
            "validation": {**measured.model, **found.get("validation", {})},
            "baselines": measured.baselines,
            "count": measured.count,
            "curve": state.curve or [],
            "parameters": course.parameters(),
            "seconds": round(time.monotonic() - clock, 2),
        }
        write_json(folder / REPORT, report)
        progress.write("evaluating", 1, 1)

    return finish(folder, REPORT, work)
