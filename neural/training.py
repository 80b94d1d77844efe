"""`python -m neural train`: one run folder from configuration to sealed artifact."""

from pathlib import Path

from handoff.files import write_json
from handoff.progress import Outcome, ProgressWriter
from neural.fitted import Fitted
from neural.preparation import prepare
from neural.reports import evaluation_record, keep_examples, model_card
from neural.runs import StopFlag, finish


def train(folder: Path, *, checkpoint_seconds: float = 20.0, root: Path | None = None) -> Outcome:
    """Run, or go on with, the run of `folder`. Raises Stopped on SIGTERM and HandoffError for bad input.

    `root` is the folder under which the artifact of `config.start` must lie.
    """

    def work(progress: ProgressWriter, stop: StopFlag) -> None:
        _train(folder, progress, stop, checkpoint_seconds, root)

    return finish(folder, "artifact", work)


def _train(
    folder: Path, progress: ProgressWriter, stop: StopFlag, checkpoint_seconds: float, root: Path | None
) -> None:
    ready = prepare(folder, progress, stop, test=True, root=root, checkpoint_seconds=checkpoint_seconds)
    course, laps = ready.course, ready.laps
    windows = course.windows
    fitted = Fitted.read(folder) if ready.fitter.reached("refitting") else None
    if fitted is None:
        state = course.fit(ready.fitter)
        laps.end("fitting")
        if not course.refits():
            progress.write("evaluating", 0, 3)
        stop.check()
        course.calibrate()
        fitted = Fitted(state, course.calibration, course.report(windows.validation))
        laps.end("evaluating")
    if course.refits():
        fitted.write(folder)
        course.refit(ready.fitter, fitted.calibration)
        laps.end("refitting")
    progress.write("evaluating", 1, 3)
    stop.check()
    state, validation = fitted.state, fitted.validation
    test = keep_examples(folder, course.report(windows.test), ready.dataset, ready.config)
    progress.write("evaluating", 2, 3)
    laps.end("evaluating")
    record = evaluation_record(windows, course.examples(), validation, test, state, laps.seconds)
    record["counts"]["labels"] = course.labels()
    record["start"] = course.started
    if compression := course.compression(test):
        record["compression"] = compression
    write_json(folder / "evaluation.json", record)
    card = model_card(ready.config, ready.dataset.manifest, record, state)
    course.write(folder / "artifact", {**card, "start": course.started})
    progress.write("evaluating", 3, 3)
