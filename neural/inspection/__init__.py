"""`python -m neural inspect`: what is in the data and what is wrong with it, before anything is trained."""

import time
from dataclasses import dataclass
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


@dataclass(frozen=True)
class Asked:
    """What depends on the task."""

    balance: tuple[Balance, ...]
    minimum: tuple[Need, ...]
    leakage: tuple[Leakage, ...]
    findings: list[Finding]


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
    of_task = _texts if config.task in COURSES else _events
    asked = of_task(config, dataset, windows, seen)
    progress.write("preparing", 3, STEPS)
    findings = [*asked.findings, *(found.findings if config.task not in COURSES else [])]
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
        balance=asked.balance,
        minimum=asked.minimum,
        leakage=asked.leakage,
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


def _texts(config: TrainingConfig, dataset: Dataset, windows: Windows | None, seen: Seen) -> Asked:
    """What a task on labelled texts needs; what is wrong with purchases is no concern of its."""
    from neural.inspection import texts  # reads text models' settings: seconds that others need not wait

    found = texts.look(config, dataset)
    return Asked(tuple(found.balance), tuple(found.minimum), (), found.findings)


def _events(config: TrainingConfig, dataset: Dataset, windows: Windows | None, seen: Seen) -> Asked:
    minimum = tuple(measured(config, dataset, windows))
    findings = [
        *_unmet(seen, minimum),
        *events.findings(seen, config, windows),
        *outliers.findings(seen),
        *weeks.findings(seen),
    ]
    if windows is None or windows.validation <= windows.start:  # no moment to ask about
        return Asked((), minimum, (), findings)
    task = balance.labeller(config, dataset, windows)
    classes, of_classes = balance.look(task, windows)
    leaks, of_leaks = leakage.look(task, dataset, windows)
    return Asked(classes, minimum, leaks, [*findings, *of_classes, *of_leaks])


def _unmet(seen: Seen, minimum: tuple[Need, ...]) -> list[Finding]:
    if not seen.rows:
        return [Finding("no_events", "stop")]
    return [
        Finding(need.code, "stop", facts={"have": need.have, "need": need.need})
        for need in minimum
        if not need.met
    ]
