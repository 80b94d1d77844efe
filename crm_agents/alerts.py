"""Why an alert is open, and why a run was started by itself, in words: the rows store the facts."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from crm_agents.models import Alert, AlertKind
from crm_agents.names import metric_label
from crm_agents.words import days, number
from crm_data.clock import local

Facts = Mapping[str, Any]

NAMED = 5  # inputs that a sentence names


def alert_sentence(alert: Alert) -> str:
    """Return what the alert says; one whose facts cannot be put into words is named by its kind."""
    return _written(_WRITERS, alert.kind, alert.detail, str(alert.get_kind_display()))


def remedy(kind: str) -> str:
    """Return what a person may do about an alert of a kind."""
    return {
        AlertKind.INPUT_DRIFT: _("See whether an import or the business has changed; if it has, train anew."),
        AlertKind.SCORE_DRIFT: _("Look at the inputs that moved most; train anew if the change is to stay."),
        AlertKind.RESULTS_DROP: _("Train anew on newer data, or go back to an earlier version."),
        AlertKind.STALE: _("See that a worker and the scheduler (celery beat) are running, then rescore."),
        AlertKind.RUN_FAILED: _("Read its error, put it right and start it again."),
    }.get(AlertKind(kind), "")


def started_for_sentence(facts: Facts) -> str:
    """Return why a run was started by itself; empty where a person started it."""
    if not facts:
        return ""
    return _written(_STARTED, str(facts.get("code")), facts, _("Started by a schedule."))


def _written(writers: Mapping[str, Callable[[Facts], str]], kind: str, facts: Facts, otherwise: str) -> str:
    try:
        return writers[kind](facts)
    except (KeyError, TypeError, ValueError, IndexError):
        return otherwise


def _input_drift(facts: Facts) -> str:
    features = facts["features"]
    named = ", ".join(f"{each['name']} ({each['psi']:.2f})" for each in features[:NAMED])
    sentence = ngettext(
        "%(count)s input of v%(version)s lies further from its test than %(limit)s (PSI): %(named)s.",
        "%(count)s inputs of v%(version)s lie further from their test than %(limit)s (PSI): %(named)s.",
        len(features),
    )
    return sentence % {
        "count": number(len(features)),
        "version": facts["version"],
        "limit": f"{facts['limit']:g}",
        "named": named,
    }


def _score_drift(facts: Facts) -> str:
    sentence = _(
        "The scores of v%(version)s lie %(psi)s from those of its test (PSI); the limit is %(limit)s."
    )
    return sentence % {
        "version": facts["version"],
        "psi": f"{facts['psi']:.2f}",
        "limit": f"{facts['limit']:g}",
    }


def _results_drop(facts: Facts) -> str:
    return _(
        "Of the scores of %(day)s by v%(version)s it is known now how they did: %(metric)s %(realised)s, "
        "where the test had promised %(promised)s."
    ) % {
        "day": date_format(local(datetime.fromisoformat(facts["as_of"])), "DATE_FORMAT"),
        "version": facts["version"],
        "metric": metric_label(facts["metric"]),
        "realised": f"{facts['realised']:.4f}",
        "promised": f"{facts['promised']:.4f}",
    }


def _stale(facts: Facts) -> str:
    return _("The newest scores were made on %(day)s; they should be at most %(hours)s hours old.") % {
        "day": date_format(local(datetime.fromisoformat(facts["made_at"])), "DATETIME_FORMAT"),
        "hours": number(facts["hours"]),
    }


def _run_failed(facts: Facts) -> str:
    if facts["what"] == "scoring":
        return _("The newest scoring failed: %(error)s") % {"error": facts["error"]}
    return _("The run that was started by itself failed: %(error)s") % {"error": facts["error"]}


def _scheduled(facts: Facts) -> str:
    if "days" not in facts:
        return _("Started by a schedule.")
    return _("Started by the agent's schedule: every %(days)s.") % {"days": days(float(facts["days"]))}


def _alerted(facts: Facts) -> str:
    kind = str(AlertKind(facts["kind"]).label)
    return _("Started because of an alert: %(kind)s.") % {"kind": kind}


_WRITERS: dict[str, Callable[[Facts], str]] = {
    AlertKind.INPUT_DRIFT: _input_drift,
    AlertKind.SCORE_DRIFT: _score_drift,
    AlertKind.RESULTS_DROP: _results_drop,
    AlertKind.STALE: _stale,
    AlertKind.RUN_FAILED: _run_failed,
}
_STARTED: dict[str, Callable[[Facts], str]] = {"schedule": _scheduled, "alert": _alerted}
