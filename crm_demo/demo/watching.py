"""Following the agents' runs by their rows, as anybody may: no private line to the worker."""

from dataclasses import dataclass

from crm_agents.missing import missing_sentences
from crm_agents.models import Agent, RunStatus, ScoringRun, TrainingRun
from crm_agents.models.agent import Verdict
from crm_agents.verdicts import verdict_sentences

# Share of a run's time that has passed when a phase begins, and when it ends.
PHASES = {
    "preparing": (0.0, 0.08),
    "pretraining": (0.08, 0.25),
    "training": (0.25, 0.82),
    "evaluating": (0.82, 0.9),
    "scoring": (0.9, 1.0),
}
BAR = 28  # characters


@dataclass(frozen=True)
class View:
    """One agent as it stands now."""

    name: str
    share: float  # 0 … 1
    words: str
    ended: bool = False
    published: bool = False

    def line(self) -> str:
        filled = round(self.share * BAR)
        return f"{self.name:<14}{'█' * filled}{'·' * (BAR - filled)} {self.share:>4.0%}  {self.words}"


def view(agent: Agent, run: TrainingRun | None) -> View:
    """Look at an agent's run, or at what it has published when no run was needed."""
    name = str(agent)
    if run is None:
        return View(name, 1.0, "published earlier", ended=True, published=True)
    run.refresh_from_db()
    if run.is_active:
        return _training(name, run)
    if run.status != RunStatus.SUCCEEDED:
        words = " ".join([run.get_status_display(), *missing_sentences(run.missing), run.error]).strip()
        return View(name, 1.0, words, ended=True)
    version = run.version
    if version.verdict != Verdict.PASSED:
        reasons = " ".join(verdict_sentences(version.verdict_reasons))
        return View(name, 1.0, f"held back by the gate: {reasons}", ended=True)
    return _scoring(name, ScoringRun.objects.filter(version=version).order_by("created_at").last())


def _training(name: str, run: TrainingRun) -> View:
    progress = run.progress
    phase = progress.get("phase", "preparing")
    begin, end = PHASES.get(phase, (0.0, 1.0))
    part = progress.get("step", 0) / max(progress.get("of", 1), 1) if run.status != RunStatus.QUEUED else 0.0
    words = [run.get_status_display() if run.status == RunStatus.QUEUED else phase]
    if progress.get("of"):
        words.append(f"{progress['step']}/{progress['of']}")
    if progress.get("loss") is not None:
        words.append(f"loss {progress['loss']:.3f}")
    if run.notice:
        words.append(run.notice)
    return View(name, begin + (end - begin) * part, " ".join(words))


def _scoring(name: str, scoring: ScoringRun | None) -> View:
    begin, end = PHASES["scoring"]
    if scoring is None:
        return View(name, begin, "about to score")
    if scoring.published_at is not None:
        return View(name, 1.0, f"published for {scoring.rows:,} customers", ended=True, published=True)
    if not scoring.is_active:
        words = f"scoring {scoring.get_status_display()} {scoring.error}".strip()
        return View(name, 1.0, words, ended=True)
    shards = scoring.shards.count()
    done = scoring.shards.filter(status=RunStatus.SUCCEEDED).count()
    return View(name, begin + (end - begin) * done / max(shards, 1), f"scoring {done}/{shards}")
