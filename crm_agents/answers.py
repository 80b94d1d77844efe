"""What every agent's answer about one customer carries: where it comes from, or why there is none."""

from datetime import datetime
from typing import Any

from django.utils.formats import date_format
from django.utils.translation import gettext as _

from crm_agents.missing import missing_entries
from crm_agents.models import ACTIVE_STATES, Agent, Feedback, Purpose, RunStatus, ScoreRow, ScoringRun
from crm_data.clock import local
from crm_data.suppression import standing

Entry = dict[str, str]  # `code` for programs, `text` for people


def as_of(agent: Agent) -> datetime | None:
    """Return the moment that the live scores speak of, or None where nothing is live."""
    return agent.live_scoring.as_of if agent.live_scoring else None


def provenance(agent: Agent, scoring: ScoringRun | None = None) -> dict[str, Any]:
    """Return `as_of` (ISO time) and `version` of a scoring, by default the live one; None where none is."""
    if scoring is not None:
        return {"as_of": scoring.as_of.isoformat(), "version": scoring.version.number}
    moment = as_of(agent)
    return {
        "as_of": moment.isoformat() if moment else None,
        "version": agent.live_version.number if agent.live_version else None,
    }


def provenance_of(row: ScoreRow | None, agent: Agent, scoring: ScoringRun | None = None) -> dict[str, Any]:
    """Return the same of one customer's row, and `refreshed_at`: when it was made anew after an interaction.

    That is None for a row as it was published; `as_of` of a refreshed one is the customer's last event.
    """
    fresh = row.refreshed if row is not None else None
    if fresh is None:
        return {**provenance(agent, scoring), "refreshed_at": None}
    moments = {"as_of": fresh.as_of.isoformat(), "refreshed_at": fresh.made_at.isoformat()}
    return {**provenance(agent, scoring), **moments}


def why_nothing_is_live(agent: Agent) -> list[Entry]:
    """Return `code` and `text` of each sentence that explains why an agent has published no scores."""
    run = agent.runs.filter(purpose=Purpose.TRAIN).order_by("-created_at").first()
    if run is None:
        return [_entry("not_trained", _("This agent has not been trained yet."))]
    if run.status in ACTIVE_STATES:
        return [_entry("in_training", _("This agent is being trained now."))]
    if run.status == RunStatus.NOT_ENOUGH_DATA:
        short = _entry("not_enough_data", _("There is not enough data to train this agent yet."))
        return [short, *missing_entries(run.missing)]
    if run.status == RunStatus.SUCCEEDED:
        text = _("This agent is trained, but none of its versions is published.")
        return [_entry("not_published", text)]
    text = _("The last training of this agent did not finish, so there are no scores.")
    return [_entry("training_failed", text)]


def why_left_out(tenant: str, customer_id: str) -> list[Entry]:
    """Return `code` and `text` of why agents say nothing of a customer who opted out or was erased."""
    found = standing(customer_id, tenant)
    if found.erasure is not None:
        day = date_format(local(found.erasure.at), "DATE_FORMAT")
        text = _("What agents knew of this customer was erased on %(day)s; they learn and say nothing more.")
        return [_entry("erased", text % {"day": day})]
    if found.opt_out is not None:
        day = date_format(local(found.opt_out.at), "DATE_FORMAT")
        text = _("This customer opted out of profiling on %(day)s, so no agent says anything.")
        return [_entry("opted_out", text % {"day": day})]
    return []


def why_not_scored(agent: Agent, customer_id: str = "") -> list[Entry]:
    """Return `code` and `text` of why one customer is missing from an agent's live scores."""
    left_out = why_left_out(agent.tenant, customer_id) if customer_id else []
    if left_out:
        return left_out
    moment = as_of(agent)
    if moment is None:
        return why_nothing_is_live(agent)
    day = date_format(moment, "DATE_FORMAT")
    sentence = _(
        "The scores of %(day)s do not cover this customer; one who came later is scored the next time."
    )
    return [_entry("not_covered", sentence % {"day": day})]


def _entry(code: str, text: str) -> Entry:
    return {"code": code, "text": text}


def latest_feedback(agent: Agent, customer_id: str) -> dict[str, dict[str, Any]]:
    """Return, by item ("" for the score itself), the last thing staff said, as JSON values."""
    rows = Feedback.objects.filter(agent=agent, tenant=agent.tenant, customer_id=customer_id)
    return {
        row.item: {
            "verdict": row.verdict,
            "label": str(row.get_verdict_display()),
            "reason": row.reason,
            "by": row.user.get_username() if row.user else "",
            "at": row.at.isoformat(),
        }
        for row in rows.select_related("user").order_by("id")
    }
