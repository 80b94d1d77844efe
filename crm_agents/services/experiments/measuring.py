"""Measuring an experiment: a worker joins what customers did since, and stores the figures of both arms.

Experiment.result is {"version": 1, "until": ISO time, "over": bool, "customers": [first, second],
"left_out": n, "split_chance": p, "detectable": relative difference or None,
"figures": {name: see uplift.Figure}}, or {"problem": code}. First is the arm that the other is held
against: the control group, or version A.
"""

import datetime as dt
import logging
import shutil
from pathlib import Path

from celery import current_app
from django.db.models import F, Q
from django.utils import timezone

from crm_agents.folders import enrolled_folder
from crm_agents.jsonable import storable
from crm_agents.models import Agent, Experiment, ExperimentKind
from crm_agents.services.experiments.enrolling import ScoresAreGone, enrol
from crm_agents.services.experiments.outcomes import Outcomes, collect
from crm_agents.services.experiments.starting import LATE, TASK, end_what_is_over
from crm_agents.services.experiments.uplift import (
    Floats,
    Mask,
    detectable_before,
    figure,
    split_chance,
)
from crm_agents.services.watching.alone import alone

logger = logging.getLogger(__name__)

EVERY = dt.timedelta(days=1)
EXPIRES = 300.0  # seconds: what no worker took by then is sent for again
PRIMARY = "bought"  # the one figure that decides; of several, one would differ by chance soon


def send_for_measuring(agent: Agent, *, now: dt.datetime) -> int:
    """End what is over, and have a worker measure what is due; return how many. Sent again until one did."""
    end_what_is_over(agent, now=now)
    forget_who_took_part(agent, now=now)
    due = experiments_due(agent, now)
    for experiment in due:
        current_app.send_task(TASK, args=[str(experiment.pk)], expires=EXPIRES)
    return len(due)


def experiments_due(agent: Agent, now: dt.datetime) -> list[Experiment]:
    """Return those never measured or last a day ago that go on, or ended within a week."""
    waiting = Q(measured_at=None) | Q(measured_at__lt=now - EVERY) | Q(measured_at__lt=F("ended_at"))
    recent = Q(ended_at=None) | Q(ended_at__gt=now - LATE) | Q(measured_at=None)
    return list(Experiment.objects.filter(waiting & recent, agent=agent))


def forget_who_took_part(agent: Agent, *, now: dt.datetime) -> int:
    """Delete the files of experiments that were measured for the last time; return of how many."""
    old = Experiment.objects.filter(agent=agent, ended_at__lte=now - LATE, measured_at__isnull=False)
    folders = [folder for each in old if (folder := enrolled_folder(each)).exists()]
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)
        shutil.rmtree(lock_folder(folder), ignore_errors=True)
    return len(folders)


def lock_folder(folder: Path) -> Path:
    """Return what a worker holds while it measures: the folder itself is replaced when it is written."""
    return folder.with_name(f"{folder.name}.lock")


def measure_experiment(experiment_id: int | str, *, now: dt.datetime | None = None) -> bool:
    """Measure one experiment and store the result.

    False where another worker is at it, or nobody knows any more who took part: the result stays then.
    """
    experiment = Experiment.objects.select_related("agent").filter(pk=experiment_id).first()
    if experiment is None:
        return False
    folder = enrolled_folder(experiment)
    if experiment.enrolled is not None and not folder.exists():
        return False
    with alone(lock_folder(folder)) as first:
        if not first:
            return False
        now = now or timezone.now()
        try:
            if experiment.enrolled is None:
                enrol(experiment)
            result = _result(experiment, now)
        except ScoresAreGone:
            logger.warning("%s cannot be measured: the scores it began with are gone.", experiment)
            result = {"problem": "scores_gone"}
        Experiment.objects.filter(pk=experiment.pk).update(result=storable(result), measured_at=now)
    return True


def _result(experiment: Experiment, now: dt.datetime) -> dict[str, object]:
    over = experiment.started_at + dt.timedelta(days=experiment.horizon_days)
    until = min(now, over, experiment.ended_at or now)
    found = collect(experiment, until=until)
    # What the agent adds is told, so its own arm comes second where the other is the control group.
    control = experiment.kind == ExperimentKind.CONTROL
    treated: Mask = ~found.second if control else found.second
    in_second = int(found.second.sum())
    return {
        "version": 1,
        "until": until.isoformat(),
        "over": over <= now or experiment.ended_at is not None,
        "customers": [int((~treated).sum()), int(treated.sum())],
        "left_out": found.left_out,
        "split_chance": split_chance(len(found.second), in_second, experiment.share),
        "detectable": detectable_before(found.before[PRIMARY], treated) if len(treated) else None,
        "figures": _figures(found, treated),
    }


def _figures(found: Outcomes, treated: Mask) -> dict[str, dict[str, object]]:
    before: dict[str, Floats | None] = {**found.before}
    figures = {
        name: figure(values, treated, before[name], skewed=name == "revenue").as_json()
        for name, values in found.after.items()
    }
    if found.hits is not None:
        figures["hits"] = figure(found.hits, treated, before[PRIMARY]).as_json()
    return figures
