"""`python -m neural inspect`: what is in the data and what is wrong with it, before anything is trained."""

import time
from pathlib import Path

from handoff.config import TrainingConfig
from handoff.dataset import Dataset
from handoff.errors import NotEnoughData
from handoff.inspection import SEVERITIES, Balance, Finding, Inspection, Leakage, Need
from handoff.progress import ProgressWriter
from neural.courses import COURSES
from neural.inspection import balance, events, fields, leakage, outliers, weeks
from neural.inspection.events import Seen
from neural.requirements import measured
from neural.windows import Windows

STEPS = 4


def inspect(folder: Path, progress: ProgressWriter) -> Inspection:
    """Look at the dataset of a run folder's configuration and write `report.json`.

    Too little data is a finding, not an error. Raises HandoffError for a bad configuration or dataset.
    """
    began = time.monotonic()
    config = TrainingConfig.read(folder)
    progress.write("preparing", 0, STEPS)
    dataset = Dataset.open(config.dataset)
    dataset.verify()
    windows = _windows(config, dataset)
    seen = events.read(dataset, config)
    progress.write("preparing", 1, STEPS)
    found = fields.look(dataset, config, seen)
    progress.write("preparing", 2, STEPS)
    minimum = measured(config, dataset, windows)
    progress.write("preparing", 3, STEPS)
    classes, leaks, more = _labels(config, dataset, windows)
    findings = [
        *_unmet(seen, minimum),
        *events.findings(seen, config, windows),
        *outliers.findings(seen),
        *weeks.findings(seen),
        *found.findings,
        *more,
    ]
    report = Inspection(
        agent=config.agent,
        task=config.task,
        watermark=dataset.manifest.watermark,
        windows=windows.as_json() if windows else {},
        rows=seen.rows,
        customers=found.customers,
        products=found.products,
        first=dataset.manifest.first_event,
        last=dataset.manifest.last_event,
        kinds=events.kinds(seen, config, windows),
        nulls=(*events.nulls(seen, config), *found.nulls),
        duplicates=seen.duplicates,
        outliers=outliers.found(seen),
        weeks=weeks.counts(seen),
        balance=classes,
        minimum=tuple(minimum),
        leakage=leaks,
        findings=tuple(sorted(findings, key=_rank)),
        seconds=round(time.monotonic() - began, 2),
    )
    report.write(folder)
    progress.write("preparing", STEPS, STEPS)
    return report


def _rank(finding: Finding) -> tuple[int, str, str]:
    return SEVERITIES.index(finding.severity), finding.code, finding.field


def _windows(config: TrainingConfig, dataset: Dataset) -> Windows | None:
    try:
        return Windows.choose(config, dataset.manifest)
    except NotEnoughData:
        return None


def _unmet(seen: Seen, minimum: list[Need]) -> list[Finding]:
    if not seen.rows:
        return [Finding("no_events", "stop")]
    return [
        Finding(need.code, "stop", facts={"have": need.have, "need": need.need})
        for need in minimum
        if not need.met
    ]


def _labels(
    config: TrainingConfig, dataset: Dataset, windows: Windows | None
) -> tuple[tuple[Balance, ...], tuple[Leakage, ...], list[Finding]]:
    """What needs the task's own labels; nothing where no window or no customer is asked about."""
    if windows is None or windows.validation <= windows.start or config.task in COURSES:
        return (), (), []
    task = balance.labeller(config, dataset, windows)
    classes, findings = balance.look(task, windows)
    leaks, more = leakage.look(task, dataset, windows)
    return classes, leaks, [*findings, *more]
