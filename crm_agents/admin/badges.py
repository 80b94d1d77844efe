"""Short states as badges: the words say it, the colour repeats it."""

from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from crm_agents.models import Leased, ModelVersion, RunStatus
from crm_agents.models.agent import Verdict
from crm_agents.recipes import Text

TONES: dict[str, str] = {
    RunStatus.QUEUED: "calm",
    RunStatus.PREPARING: "calm",
    RunStatus.TRAINING: "calm",
    RunStatus.EVALUATING: "calm",
    RunStatus.SCORING: "calm",
    RunStatus.SUCCEEDED: "good",
    RunStatus.NOT_ENOUGH_DATA: "warn",
    RunStatus.FAILED: "bad",
    RunStatus.PRUNED: "neutral",
}


def badge(kind: str, label: Text) -> SafeString:
    """Return `label` as a badge of a kind that `agents.css` colours: good, warn, bad, calm or neutral."""
    return format_html('<span class="crm-badge crm-badge--{}">{}</span>', kind, label)


def status_words(run: Leased) -> tuple[str, str]:
    """Return kind and text of the badge that tells the state of a run, or that it is being cancelled."""
    if run.cancel_requested and run.is_active:
        return "warn", _("being cancelled")
    return TONES.get(run.status, "neutral"), str(RunStatus(run.status).label)


def status_badge(run: Leased) -> SafeString:
    """Return the state of a run, a scoring or a shard."""
    return badge(*status_words(run))


def alert_note(opened: int) -> SafeString:
    """Return how many alerts are open."""
    return badge("bad", alert_count(opened))


def alert_count(opened: int) -> str:
    return ngettext("%(count)s alert", "%(count)s alerts", opened) % {"count": opened}


def verdict_badge(version: ModelVersion) -> SafeString:
    """Return the gate's verdict on a version."""
    passed = version.verdict == Verdict.PASSED
    return badge("good", _("gate passed")) if passed else badge("bad", _("gate failed"))
