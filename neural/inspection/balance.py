"""The task's own labels in the windows before the test: how many there are of either class."""

from handoff.config import TrainingConfig
from handoff.dataset import Dataset
from handoff.inspection import Balance, Finding
from neural.data.world import training_world
from neural.tasks import find_task
from neural.tasks.base import Task
from neural.windows import Windows, to_iso

RARE = 0.02


def labeller(config: TrainingConfig, dataset: Dataset, windows: Windows) -> Task:
    """Make the task over events up to the end of the validation window, and nothing later."""
    earlier = windows.validation - windows.horizon
    cuts = (*([earlier] if earlier > windows.start else []), windows.validation, windows.test)
    return find_task(config.task)(training_world(config, dataset, train_end=windows.validation, cuts=cuts))


def look(task: Task, windows: Windows) -> tuple[tuple[Balance, ...], list[Finding]]:
    """Count labels of the last training window that ends before validation, and of the validation window."""
    found, findings = [], []
    for name, cutoff in (("train", windows.validation - windows.horizon), ("validation", windows.validation)):
        outcome = task.outcome(cutoff) if cutoff > windows.start else None
        if outcome is None:
            continue
        queries, label = outcome
        count, positives = len(queries), int(label.sum())
        stop = to_iso(cutoff + windows.horizon)
        facts = task.outcome_facts(cutoff)
        found.append(Balance(name, to_iso(cutoff), stop, count, positives, facts))
        findings.extend(_judge(name, count, positives))
    return tuple(found), findings


def _judge(window: str, count: int, positives: int) -> list[Finding]:
    facts = {"window": window, "count": count, "positives": positives}
    if not 0 < positives < count:
        # without an outcome to learn or to be measured by; an early window may simply be too early
        return [Finding("one_outcome", "stop" if window == "validation" else "warn", facts=facts)]
    share = positives / count
    if min(share, 1 - share) < RARE:
        return [Finding("rare_outcome", "warn", facts={**facts, "share": share})]
    return []
