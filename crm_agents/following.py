"""Following a run in a terminal, from its rows alone."""

import time
from typing import IO

from django.utils.translation import gettext as _

from crm_agents.missing import missing_sentences
from crm_agents.models import Purpose, RunStatus, ScoringRun, TrainingRun
from crm_agents.verdicts import verdict_sentences
from crm_agents.words import joined

POLL_SECONDS = 0.5
BAR = 24  # characters
SILENCE = 15  # seconds in the queue before the absence of a worker is suspected


def follow(run: TrainingRun, stream: IO[str], *, poll: float = POLL_SECONDS) -> TrainingRun:
    """Show a run's progress, and the scoring that follows it, until both have ended; return the run.

    A terminal gets one line that is redrawn, anything else a line for each change of phase.
    """
    screen = Screen(stream)
    queued_since = time.monotonic()
    while run.is_active:
        run.refresh_from_db()
        screen.show(*_of_run(run, time.monotonic() - queued_since))
        time.sleep(poll if run.is_active else 0)
    screen.end(_ending(run))
    scoring = ScoringRun.objects.filter(version__run=run).order_by("created_at").first()
    if scoring is not None:
        _follow_scoring(scoring, screen, poll)
    return run


class Screen:
    """One line of a terminal, or a log."""

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream
        self._terminal = stream.isatty()
        self._last = ""

    def show(self, phase: str, details: str) -> None:
        """Redraw the line; a log is told only of a new phase."""
        text = f"{phase} {details}".rstrip() if self._terminal else phase
        if text == self._last:
            return
        self._last = text
        self._stream.write(f"\r\x1b[2K{text}" if self._terminal else f"{text}\n")
        self._stream.flush()

    def end(self, text: str) -> None:
        """Write a line that stays."""
        self._stream.write(f"\r\x1b[2K{text}\n" if self._terminal else f"{text}\n")
        self._stream.flush()
        self._last = ""


def bar(done: int, of: int) -> str:
    """Return a progress bar such as "[############            ]  50 %"."""
    share = min(1.0, done / of) if of > 0 else 0.0
    filled = round(share * BAR)
    return f"[{'#' * filled}{' ' * (BAR - filled)}] {share:4.0%}".replace("%", " %")


def _of_run(run: TrainingRun, waited: float) -> tuple[str, str]:
    if run.status == RunStatus.QUEUED:
        hint = _("No worker has taken it yet; is one running?") if waited > SILENCE else ""
        return f"{run.agent}: {run.get_status_display()}", run.notice or hint
    line = run.progress
    if not line:
        return f"{run.agent}: {run.get_status_display()}", ""
    parts = [bar(int(line.get("step") or 0), int(line.get("of") or 0))]
    if line.get("loss") is not None:
        parts.append(_("loss %(loss)s") % {"loss": f"{line['loss']:.4f}"})
    if line.get("eta_seconds"):
        parts.append(_("%(seconds)s s left") % {"seconds": round(line["eta_seconds"])})
    return f"{run.agent}: {line.get('phase', run.status)}", "  ".join(parts)


def _ending(run: TrainingRun) -> str:
    if run.status == RunStatus.SUCCEEDED and run.purpose == Purpose.TRAIN:
        version = run.version
        return "\n".join(
            [f"{version}: {version.get_verdict_display()}", *verdict_sentences(version.verdict_reasons)]
        )
    details = joined(missing_sentences(run.missing)) or run.error
    return f"{run.agent}: {run.get_status_display()} {details}".rstrip()


def _follow_scoring(scoring: ScoringRun, screen: Screen, poll: float) -> None:
    while scoring.is_active:
        scoring.refresh_from_db()
        shards = scoring.shards.all()
        done = shards.filter(status=RunStatus.SUCCEEDED).count()
        screen.show(f"{scoring.version}: {RunStatus.SCORING.label}", bar(done, shards.count()))
        time.sleep(poll if scoring.is_active else 0)
    if scoring.status == RunStatus.SUCCEEDED:
        text = _("published, %(rows)s customers scored") % {"rows": scoring.rows}
    else:
        text = f"{scoring.get_status_display()} {scoring.error}".rstrip()
    screen.end(f"{scoring.version}: {text}")
