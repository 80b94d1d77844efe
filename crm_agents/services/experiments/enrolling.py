"""Who takes part in an experiment: everybody who had an answer at its start, with the list of then.

Kept in files of some thousand customers each, so that measuring a million takes no more memory than that.
The arm is not in them. Worker's work: it loads polars.
"""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl

from crm_agents.arms import second_arm
from crm_agents.folders import enrolled_folder
from crm_agents.models import Experiment, ExperimentKind, Kept, ScoringRun
from crm_agents.recipes import get_recipe
from crm_data.suppression import Suppressed

PART = 20_000  # customers of a file
LISTED = 10  # products of a list

ENROLLED = pl.Schema({"customer": pl.String(), "items": pl.List(pl.String())})


class ScoresAreGone(Exception):
    """The scores that the experiment began with were deleted before a worker came to it."""


def enrol(experiment: Experiment) -> int:
    """Write down who takes part, once; return how many. Raises ScoresAreGone."""
    folder = enrolled_folder(experiment)
    half = folder.with_name(f".{folder.name}.half")
    gone, total = Suppressed(experiment.agent.tenant), -1
    while total < 0 or gone.fingerprint != (gone := Suppressed(experiment.agent.tenant)).fingerprint:
        total = _write(experiment, half)  # again where somebody was erased meanwhile
    _require_scores(experiment)  # they may have been deleted meanwhile
    shutil.rmtree(folder, ignore_errors=True)
    half.replace(folder)
    Experiment.objects.filter(pk=experiment.pk).update(enrolled=total)
    experiment.enrolled = total
    return total


def enrolled_parts(experiment: Experiment) -> Iterator[pl.DataFrame]:
    """Yield those who take part, some thousand at a time."""
    paths: list[Path] = sorted(enrolled_folder(experiment).glob("part-*.parquet"))
    for path in paths:
        yield pl.read_parquet(path)


def _write(experiment: Experiment, folder: Path) -> int:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    total = 0
    for number, frame in enumerate(_frames(experiment)):
        frame.write_parquet(folder / f"part-{number:05d}.parquet", compression="zstd")
        total += len(frame)
    return total


def _frames(experiment: Experiment) -> Iterator[pl.DataFrame]:
    _require_scores(experiment)
    rows = get_recipe(experiment.agent.name).score_model._default_manager.all()
    answered = rows.filter(scoring=experiment.scoring_id, score__isnull=False).order_by("pk")
    last = None
    while True:
        page = answered if last is None else answered.filter(pk__gt=last)
        found = list(page.values_list("pk", "customer_id", "payload")[:PART])
        if found:
            lists = {customer: _items(payload) for _pk, customer, payload in found}
            yield _frame(lists if experiment.kind == ExperimentKind.CONTROL else _own(experiment, lists))
        if len(found) < PART:
            return
        last = found[-1][0]


def _own(experiment: Experiment, lists: dict[str, list[str]]) -> dict[str, list[str]]:
    """Keep those whom both versions have an answer for, each with the list of the own version."""
    rows = get_recipe(experiment.agent.name).score_model._default_manager.all()
    answered = rows.filter(scoring=experiment.rival_scoring_id, score__isnull=False)
    customers = list(lists)
    rival: dict[str, list[str]] = {}
    for start in range(0, len(customers), 2_000):
        found = answered.filter(customer_id__in=customers[start : start + 2_000])
        rival |= {
            customer: _items(payload) for customer, payload in found.values_list("customer_id", "payload")
        }
    both = [customer for customer in customers if customer in rival]
    second = second_arm(experiment, both)
    return {each: (rival if b else lists)[each] for each, b in zip(both, second, strict=True)}


def _frame(lists: dict[str, list[str]]) -> pl.DataFrame:
    return pl.DataFrame({"customer": list(lists), "items": list(lists.values())}, schema=ENROLLED)


def _items(payload: dict[str, Any]) -> list[str]:
    return [str(item["product"]) for item in payload.get("items", [])[:LISTED]]


def _require_scores(experiment: Experiment) -> None:
    needed = {experiment.scoring_id}
    if experiment.kind == ExperimentKind.AB:
        needed.add(experiment.rival_scoring_id)
    present = ScoringRun.objects.filter(pk__in=[pk for pk in needed if pk], scores=Kept.KEPT)
    if None in needed or present.count() != len(needed):
        raise ScoresAreGone
