"""How a run is doing, once as the page's first state and then as the JSON that the page asks for."""

import json
from pathlib import Path
from typing import Any

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from crm_agents.admin.badges import status_words
from crm_agents.admin.wording import duration, figure
from crm_agents.models import RunStatus, TrainingRun
from crm_agents.names import in_order, metric_label
from crm_agents.plots import sparkline
from crm_data.clock import local

STAGES = (RunStatus.QUEUED, RunStatus.PREPARING, RunStatus.TRAINING, RunStatus.EVALUATING)
PHASES = {
    "preparing": gettext_lazy("preparing the data"),
    "pretraining": gettext_lazy("pretraining"),
    "refitting": gettext_lazy("fitting once more, on the newest days too"),
    "training": gettext_lazy("fine-tuning"),
    "evaluating": gettext_lazy("evaluating"),
    "scoring": gettext_lazy("scoring"),
}
TAIL_BYTES = 256 * 1024


def run_progress(run: TrainingRun, folder: Path) -> dict[str, Any]:
    """Return the state of a run as JSON values; `folder` is its run folder, which need not exist."""
    progress = run.progress
    step, of = progress.get("step", 0), progress.get("of", 0)
    lines = _tail(folder / "progress.jsonl")
    loss, metrics = progress.get("loss"), _newest_metrics(progress, lines)
    tone, status_text = status_words(run)
    return {
        "id": str(run.pk),
        "status": run.status,
        "status_text": status_text,
        "tone": tone,
        "active": run.is_active,
        "cancel_requested": run.cancel_requested,
        "stages": _stages(run),
        "phase": progress.get("phase", ""),
        "phase_text": str(PHASES.get(progress.get("phase", ""), progress.get("phase", ""))),
        "step": step,
        "of": of,
        "step_text": _("%(step)s of %(of)s") % {"step": step, "of": of} if of else "",
        "percent": min(100, round(100 * step / of)) if of else 0,
        "loss": loss,
        "loss_text": "" if loss is None else figure(loss),
        "eta_seconds": progress.get("eta_seconds"),
        "eta_text": duration(progress.get("eta_seconds")),
        "metrics": [
            {"name": name, "label": metric_label(name), "text": figure(metrics[name])}
            for name in in_order(metrics)
        ],
        "sparkline": sparkline(_losses(lines)),
        "started_text": date_format(local(run.started_at), "DATETIME_FORMAT") if run.started_at else "–",
        "took_text": time_taken(run),
        "attempts_text": str(run.attempts),
        "notice": run.notice,
        "log": run.log_tail,
    }


def time_taken(run: TrainingRun) -> str:
    """Return how long a run has been at work, or was; a dash before it has begun."""
    if run.started_at is None:
        return "–"
    return duration(((run.finished_at or timezone.now()) - run.started_at).total_seconds())


def _losses(lines: list[dict[str, Any]]) -> list[float]:
    """Return the losses of the newest phase that has any."""
    known = [line for line in lines if line.get("loss") is not None]
    return [line["loss"] for line in known if line.get("phase") == known[-1].get("phase")]


def _newest_metrics(progress: dict[str, Any], lines: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the metrics that were measured last; most lines of progress carry none."""
    measured = (line["metrics"] for line in [progress, *reversed(lines)] if line.get("metrics"))
    return next(measured, {})


def _stages(run: TrainingRun) -> list[dict[str, str]]:
    """Where an active run is on its way: one entry a stage, "done", "now" or "later"."""
    if run.status not in STAGES:
        return []
    here = STAGES.index(RunStatus(run.status))
    return [
        {
            "name": stage.value,
            "label": str(stage.label),
            "state": "done" if index < here else "now" if index == here else "later",
        }
        for index, stage in enumerate(STAGES)
    ]


def _tail(path: Path) -> list[dict[str, Any]]:
    """Read the last lines of a file that another process is writing."""
    try:
        with path.open("rb") as file:
            start = max(0, file.seek(0, 2) - TAIL_BYTES)
            file.seek(start)
            content = file.read()
    except OSError:
        return []
    lines = content.split(b"\n")
    # The last one is empty or half written; the first one is cut where reading began in the middle.
    whole = lines[1 if start else 0 : -1]
    return [entry for line in whole if (entry := _parsed(line))]


def _parsed(line: bytes) -> dict[str, Any]:
    """Return a line as a mapping, empty where a trainer that was killed left half of one."""
    try:
        entry = json.loads(line)
    except ValueError:
        return {}
    return entry if isinstance(entry, dict) else {}
