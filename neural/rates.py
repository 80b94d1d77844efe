"""`python -m neural range`: which learning rate to take.

The range test of Smith, "Cyclical Learning Rates for Training Neural Networks" (WACV 2017): the rate rises
from step to step, and the loss tells where learning begins and where it falls apart. It takes a minute at
most, so one that was killed is simply done again.
"""

import math
from collections.abc import Iterator, Sequence
from copy import deepcopy
from itertools import count
from pathlib import Path
from statistics import fmean
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
SETTLED = 10  # steps until the running mean says something
LOST = 0.2  # of the untrained model's loss, above where it settled: all that was learnt is lost again
SAFETY = 10.0  # the rate that gave the lowest loss is already on the edge

Points = list[tuple[float, float]]  # learning rate, smoothed loss


def find_rate(folder: Path, *, root: Path | None = None) -> Outcome:
    """Do the range test of `folder`. Raises Stopped on SIGTERM and HandoffError for bad input.

    report.json: {"points": [[rate, smoothed loss], …], "suggested", "rule", "steepest", "lowest",
    "diverged_at"}; these are null where the loss never fell, and the last where it never fell apart.
    """

    def work(progress: ProgressWriter, stop: StopFlag) -> None:
        ready = prepare(folder, progress, stop, test=False, root=root)
        model, lessons = ready.course.begin()
        points, diverged_at = sweep(ready.fitter, model, lessons)
        write_json(folder / REPORT, {"points": points, **suggestion(points), "diverged_at": diverged_at})
        progress.write("training", STEPS, STEPS)

    return finish(folder, REPORT, work)


def rates() -> list[float]:
    """STEPS rates, each the same factor above the one before."""
    return [LOWEST * (HIGHEST / LOWEST) ** (step / (STEPS - 1)) for step in range(STEPS)]


def sweep(fitter: Fitter, model: Any, lessons: Lessons[Any]) -> tuple[Points, float | None]:
    """Train with ever higher rates; return the points and the rate at which the loss fell apart, if any.

    Some batches are harder than others, by far more than a few steps teach. So each loss counts by how far
    it is from what the untrained model makes of the same batch and the same dropout.
    """
    untrained = deepcopy(model)
    optimizer, idle = fitter.optimizer(model), fitter.optimizer(untrained)
    tried: Points = []  # rate, smoothed lead over the untrained model
    hardness: list[float] = []
    mean, diverged_at = 0.0, None
    for number, (rate, (place, batches)) in enumerate(zip(rates(), _steps(fitter, lessons), strict=False)):
        fitter.stop.check()
        try:
            base = fitter.step(untrained, lessons, idle, batches, place, 0.0)  # at rate 0 nothing is learnt
            loss = fitter.step(model, lessons, optimizer, batches, place, rate)
        except HandoffError:  # no longer a number
            diverged_at = rate
            break
        hardness.append(base)
        mean = SMOOTH * mean + (1 - SMOOTH) * (loss - base)
        lead = mean / (1 - SMOOTH ** (number + 1))  # as if it had begun with the first loss
        tried.append((rate, lead))
        fitter.progress.write("training", number + 1, STEPS, loss=fmean(hardness) + lead)
        if number >= SETTLED and lead - tried[SETTLED - 1][1] > LOST * fmean(hardness):
            diverged_at = rate
            break
    level = fmean(hardness) if hardness else 0.0
    return [(rate, level + lead) for rate, lead in tried], diverged_at


def _steps(fitter: Fitter, lessons: Lessons[Any]) -> Iterator[tuple[tuple[int, int, int], Sequence[Any]]]:
    """The batches of the first epoch's steps, then of the next one's, without end."""
    for epoch in count():
        for step, batches in enumerate(fitter.epoch("training", lessons, epoch)):
            yield (PHASES.index("training"), epoch, step), batches


def suggestion(points: Points) -> dict[str, Any]:
    """The lower of two usual rules, and beside it what both are made of.

    "lowest/10" is a tenth of the rate of the lowest smoothed loss, "steepest" the rate at which that loss
    falls fastest over SETTLED steps. The smoothed loss lags behind, which puts both on the high side.
    """
    none = {"suggested": None, "rule": None, "steepest": None, "lowest": None}
    seen = points[SETTLED - 1 :]
    if len(seen) <= SETTLED:
        return none
    lowest, value = min(seen, key=lambda point: point[1])
    falls = [
        (later[1] - earlier[1], math.sqrt(earlier[0] * later[0]))
        for earlier, later in zip(seen, seen[SETTLED:], strict=False)
        if later[0] <= lowest
    ]
    if value >= seen[0][1] or not falls:
        return none  # it never learnt anything
    steepest = min(falls)[1]
    suggested, rule = min((lowest / SAFETY, "lowest/10"), (steepest, "steepest"))
    return {"suggested": suggested, "rule": rule, "steepest": steepest, "lowest": lowest}
