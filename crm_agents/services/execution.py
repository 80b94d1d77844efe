"""A run in the worker: snapshot, supervised trainer, gated version or report. Any step may be repeated."""

import shutil
import signal
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

from django.db import close_old_connections

from crm_agents.exits import killed_by
from crm_agents.folders import PREDICTIONS, artifact_root, run_folder, staging_folder
from crm_agents.jsonable import storable
from crm_agents.models import Purpose, RunStatus, Sweep, TrainingRun
from crm_agents.services.keeping import Keeper
from crm_agents.services.leases import Lease, claim
from crm_agents.services.remeasuring import measure_live_again
from crm_agents.services.runs import planned_config
from crm_agents.services.settling import settle
from crm_agents.services.supervision import ChildFailed, TryAgain, explain_exit, locked, run_child, tail
from crm_agents.services.tuning.advancing import advance
from crm_agents.services.tuning.watching import TrialWatch, found_by
from crm_agents.services.versions import keep_version
from crm_data.conf import setting
from crm_data.selectors import snapshot_folder
from crm_data.services.snapshots import build_snapshot
from handoff.errors import NotEnoughData
from handoff.files import read_json
from handoff.progress import Outcome, Phase, Progress, ProgressReader

STATUS_OF: dict[Phase, RunStatus] = {
    "preparing": RunStatus.PREPARING,
    "pretraining": RunStatus.TRAINING,
    "refitting": RunStatus.TRAINING,
    "training": RunStatus.TRAINING,
    "evaluating": RunStatus.EVALUATING,
}
# What `python -m neural` does for each purpose.
COMMAND_OF: dict[str, str] = {
    Purpose.TRAIN: "train",
    Purpose.TRIAL: "try",
    Purpose.RANGE_TEST: "range",
    Purpose.INSPECT: "inspect",
}
LOG = "trainer.log"
RESUMED = ("checkpoints", "artifact", ".artifact")  # folders that only resuming a run would need


def execute_run(run_id: UUID | str) -> None:
    """Do a queued run; nothing where another worker has it or it is finished."""
    lease = claim(TrainingRun, run_id, RunStatus.PREPARING)
    if lease is None:
        return
    related = ("agent", "snapshot", "started_by", "sweep__snapshot")
    run = TrainingRun.objects.select_related(*related).get(pk=run_id)
    settle(lease, partial(_work, run, lease), partial(_fail, run, lease))
    tidy_run_folder(run)
    if run.purpose == Purpose.TRAIN and run.status == RunStatus.SUCCEEDED:
        measure_live_again(run.version)
    if run.sweep_id:
        advance(run.sweep_id)


def tidy_run_folder(run: TrainingRun) -> None:
    """Once a run has ended, remove what only resuming it would need; all of a trial, which its row tells."""
    run.refresh_from_db(fields=["status"])
    if run.is_active:
        return
    shutil.rmtree(staging_folder(run), ignore_errors=True)
    if run.purpose == Purpose.TRIAL:
        shutil.rmtree(run_folder(run), ignore_errors=True)
    else:
        for leftover in RESUMED:
            shutil.rmtree(run_folder(run) / leftover, ignore_errors=True)
        for half in run_folder(run).glob(".*.[0-9]*"):  # a file that a process was killed in the middle of
            half.unlink(missing_ok=True)
        (run_folder(run) / PREDICTIONS).unlink(missing_ok=True)  # the version has it and can forget customers


def _work(run: TrainingRun, lease: Lease, keeper: Keeper) -> None:
    folder = run_folder(run)
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder, patience=setting("LEASE_SECONDS")):
        _prepare(run, lease, keeper, folder)
        outcome = Outcome.read(folder) or _supervise(run, folder, keeper)
        if outcome.status == "not_enough_data":
            raise NotEnoughData(list(outcome.missing))
        if outcome.status == "failed":
            raise ChildFailed(outcome.message)
        keeper.check()
        _keep(run, lease, folder)


def _keep(run: TrainingRun, lease: Lease, folder: Path) -> None:
    """Finish a run whose trainer succeeded: with a version, or with the report of a run that makes none."""
    log_tail = tail(folder / LOG)
    if run.purpose == Purpose.TRAIN:
        keep_version(run, lease, folder, log_tail=log_tail)
        return
    found = found_by(run.sweep, run, folder) if run.sweep else {"report": read_json(folder / "report.json")}
    lease.finish(RunStatus.SUCCEEDED, log_tail=log_tail, **storable(found))


def _prepare(run: TrainingRun, lease: Lease, keeper: Keeper, folder: Path) -> None:
    """See that the run has a snapshot and a configuration; those of an earlier attempt stay."""
    if run.snapshot is None:

        def report(step: str, done: int, of: int) -> None:
            keeper.check()
            keeper.note(progress={"phase": "preparing", "detail": step, "step": done, "of": of})

        shared = run.sweep.snapshot if run.sweep else None
        run.snapshot = shared or build_snapshot(run.agent.tenant, on_progress=report)
        lease.write(snapshot=run.snapshot)
        _share_snapshot(run)
    if not (folder / "config.json").exists():
        planned_config(run.agent, run.config, snapshot_folder(run.snapshot)).write(folder)


def _share_snapshot(run: TrainingRun) -> None:
    """Give a sweep the snapshot of its first trial: now the others may begin."""
    if run.sweep is not None:
        Sweep.objects.filter(pk=run.sweep.pk, snapshot=None).update(snapshot=run.snapshot)
        advance(run.sweep.pk)


def _supervise(run: TrainingRun, folder: Path, keeper: Keeper) -> Outcome:
    """Run the trainer to its end and return its outcome, in words where it left none."""
    reader = ProgressReader(folder)
    reader.skip_to_end()
    log = folder / LOG
    trial = TrialWatch(run.sweep, run, folder) if run.sweep else None

    def watch() -> None:
        keeper.check()
        lines = list(reader.read())
        if lines:
            keeper.note(**_news(lines[-1]), log_tail=tail(log))
        if trial is not None:
            keeper.note(**trial.look())

    arguments = [COMMAND_OF[run.purpose], str(folder)]
    if run.purpose != Purpose.INSPECT:
        arguments += ["--root", str(artifact_root())]
    code = run_child(arguments, log=log, watch=watch)
    close_old_connections()  # idle while the trainer worked, for hours perhaps
    keeper.flush()
    if trial is not None and killed_by(code) == signal.SIGKILL and run.attempts < setting("MAX_ATTEMPTS"):
        raise TryAgain  # a sweep of hours should not lose a trial to one moment without memory
    return Outcome.read(folder) or Outcome("failed", explain_exit(code, tail(log)))


def _news(line: Progress) -> dict[str, Any]:
    return {"status": STATUS_OF.get(line.phase, RunStatus.TRAINING), "progress": storable(asdict(line))}


def _fail(run: TrainingRun, lease: Lease, message: str) -> None:
    lease.finish(RunStatus.FAILED, error=storable(message), log_tail=tail(run_folder(run) / LOG))
