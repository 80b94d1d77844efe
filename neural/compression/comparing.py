"""Before and after: size, speed and quality of a compressed model beside the one that it was made from."""

import time
from collections.abc import Mapping, Sequence
from statistics import median
from typing import Any

from neural.artifacts import Opened
from neural.compression.storage import pack, stored_bytes
from neural.data.world import Queries
from neural.model import Model
from neural.prediction import answers
from neural.tasks.base import Metrics, Task
from neural.windows import Windows

ROUNDS = 7
CUSTOMERS = 1_000  # asked about in each round


def compare(
    before: Opened, after: Model, task: Task, windows: Windows, export: str, measured: Metrics
) -> dict[str, Any]:
    """Return "before" and "after" as JSON values: sizes, milliseconds for 1,000 customers, test metrics.

    Both answer the same questions in turns, so that whatever else the machine does slows both. A model that
    was made for other questions has no metrics to compare.
    """
    earlier: Metrics = {}
    if _questions(before.task) == _questions(task):
        earlier = before.task.report(before.model, before.calibration, windows, windows.test).model
    queries = task.world.with_history(windows.test).take(slice(CUSTOMERS))
    slow, fast = _milliseconds([(before.task, before.model), (task, after)], queries)
    stored = before.task.world.config.export
    return {
        "export": export,
        "before": {**sizes(before.model, stored), "ms": slow, "metrics": _numbers(earlier)},
        "after": {**sizes(after, export), "ms": fast, "metrics": _numbers(measured)},
    }


def _questions(task: Task) -> tuple[object, ...]:
    """What decides who is asked about, and what counts as the answer."""
    config = task.world.config
    return config.task, config.horizon_days, config.active_days, set(config.outcome_kinds)


def sizes(model: Model, export: str) -> dict[str, Any]:
    """Layers, heads and units of a layer, numbers of weights, and bytes of the weights' file."""
    shape = model.encoder.shape
    usual = 2 * shape.width if shape.backbone == "transformer" else shape.width
    return {
        "layers": shape.layers,
        "heads": shape.heads if shape.backbone == "transformer" else None,
        "units": shape.units or usual,
        "parameters": sum(weight.numel() for weight in model.parameters()),
        "encoder_parameters": sum(weight.numel() for weight in model.encoder.backbone.parameters()),
        "bytes": stored_bytes(pack(model.state_dict(), export)),
    }


def _milliseconds(models: Sequence[tuple[Task, Model]], queries: Queries) -> list[float]:
    """Median time of each model for 1,000 customers, after a round that does not count."""
    times: list[list[float]] = [[] for _ in models]
    if len(queries) == 0:
        return [0.0 for _ in models]
    for lap in range(ROUNDS + 1):
        for place, (task, model) in enumerate(models):
            begun = time.perf_counter()
            for _ in answers(model, task.world, queries, task.inputs):
                pass
            if lap:
                times[place].append((time.perf_counter() - begun) * 1_000 * CUSTOMERS / len(queries))
    return [round(median(found), 2) for found in times]


def _numbers(metrics: Mapping[str, float | None]) -> dict[str, float]:
    return {name: value for name, value in metrics.items() if value is not None}
