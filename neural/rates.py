"""`python -m neural range`: which learning rate to take.

The range test of Smith, "Cyclical Learning Rates for Training Neural Networks" (WACV 2017): the rate rises
from step to step, and the loss tells where learning begins and where it falls apart. It takes a minute at
most, so one that was killed is simply done again.
"""

import math
from collections.abc import Iterator, Sequence
from itertools import count
from pathlib import Path
from typing import Any

from handoff.errors import HandoffError
from handoff.files import write_json
from handoff.progress import Outcome, ProgressWriter
from neural.fitting import PHASES, Fitter
from neural.lessons import Lessons
from neural.preparation import prepare
from neural.runs import REPORT, StopFlag, finish

LOWEST, HIGHEST, STEPS = 1e-6, 1.0, 100
SMOOTH = 0.9  # share of the past in the running mean of the loss
DIVERGED = 4.0  # times the best smoothed loss
SAFETY = 10.0  # the rate that gave the lowest loss is already on the edge
RULE = "lowest/10"

Points = list[tuple[float, float]]  # learning rate, smoothed loss


def find_rate(folder: Path, *, root: Path | None = None) -> Outcome:
    """Do the range test of `folder`. Raises Stopped on SIGTERM and HandoffError for bad input.

    report.json: {"points": [[rate, smoothed loss], …], "suggested", "rule", "steepest", "lowest",
    "diverged_at"}; rates are null where the loss never fell or never diverged.
    """

    def work(progress: ProgressWriter, stop: StopFlag) -> None:
        ready = prepare(folder, progress, stop, test=False, root=root)
        model, lessons = ready.course.begin()
        points, diverged_at = sweep(ready.fitter, model, lessons)
        write_json(folder / REPORT, {"points": points, **suggestion(points), "diverged_at": diverged_at})
        progress.write("training", STEPS, STEPS, metrics={"diverged": float(diverged_at is not None)})

    return finish(folder, REPORT, work)


def rates() -> list[float]:
    """STEPS rates, each the same factor above the one before."""
    return [LOWEST * (HIGHEST / LOWEST) ** (step / (STEPS - 1)) for step in range(STEPS)]


def sweep(fitter: Fitter, model: Any, lessons: Lessons[Any]) -> tuple[Points, float | None]:
    """Train with ever higher rates; return the points and the rate at which the loss fell apart, if any."""
    optimizer = fitter.optimizer(model)
    points: Points = []
    mean = 0.0
    for number, (rate, (place, batches)) in enumerate(zip(rates(), _steps(fitter, lessons), strict=False)):
        fitter.stop.check()
        try:
            loss = fitter.step(model, lessons, optimizer, batches, place, rate)
        except HandoffError:  # no longer a number
            return points, rate
        mean = SMOOTH * mean + (1 - SMOOTH) * loss
        smooth = mean / (1 - SMOOTH ** (number + 1))  # as if it had begun with the first loss
        points.append((rate, smooth))
        fitter.progress.write("training", number + 1, STEPS, loss=smooth)
        if number >= 10 and smooth > DIVERGED * min(value for _, value in points):
            return points, rate
    return points, None


def _steps(fitter: Fitter, lessons: Lessons[Any]) -> Iterator[tuple[tuple[int, int, int], Sequence[Any]]]:
    """The batches of the first epoch's steps, then of the next one's, without end."""
    for epoch in count():
        for step, batches in enumerate(fitter.epoch("training", lessons, epoch)):
            yield (PHASES.index("training"), epoch, step), batches


def suggestion(points: Points) -> dict[str, Any]:
    """The rate of the lowest smoothed loss over ten; beside it the one at which the loss falls steepest.

    The smoothed loss lags a little behind, which puts both on the high side: the tenth allows for that.
    """
    none = {"suggested": None, "rule": RULE, "steepest": None, "lowest": None}
    if len(points) < 3:
        return none
    lowest, value = min(points, key=lambda point: point[1])
    if value >= points[0][1]:
        return none  # it never learnt anything
    falls = [
        (later[1] - earlier[1], math.sqrt(earlier[0] * later[0]))
        for earlier, later in zip(points, points[2:], strict=False)
        if later[0] <= lowest
    ]
    steepest = min(falls)[1] if falls else None
    return {"suggested": lowest / SAFETY, "rule": RULE, "steepest": steepest, "lowest": lowest}
