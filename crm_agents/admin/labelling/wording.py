"""What happened to a label set's background work, in words: rows keep the facts."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.utils.dateparse import parse_datetime
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from crm_agents.words import joined, number
from crm_data.clock import local


@dataclass(frozen=True)
class Said:
    """A sentence and the tone of its note."""

    text: str
    tone: str = "calm"


def filling_said(facts: Mapping[str, Any]) -> Said | None:
    """Say how the last filling of the queue went, None where there was none."""
    if facts.get("state") != "done":
        return _not_done(facts)
    added = int(facts.get("added", 0))
    text = ngettext("%(count)s item was added", "%(count)s items were added", added)
    of = _("of %(of)s that could be labelled.") % {"of": number(int(facts.get("population", 0)))}
    said = joined([text % {"count": number(added)}, of])
    if not facts.get("population"):
        return Said(_("There is nothing to label: no customers, or no texts of this kind."), "warn")
    return Said(joined([_when(facts), said]))


def search_said(facts: Mapping[str, Any]) -> Said | None:
    """Say how the last search for label errors went, None where there was none."""
    if facts.get("state") != "done":
        return _not_done(facts)
    if "missing" in facts:
        return Said(_missing(facts["missing"]), "warn")
    found = int(facts.get("found", 0))
    text = ngettext(
        "%(found)s of %(labels)s labels looks wrong.", "%(found)s of %(labels)s labels look wrong.", found
    ) % {"found": number(found), "labels": number(int(facts.get("labels", 0)))}
    left_out = int(facts.get("left_out", 0))
    also = ngettext(
        "%(count)s label of a rare answer, or without anything to judge it by, was left out.",
        "%(count)s labels of rare answers, or without anything to judge them by, were left out.",
        left_out,
    ) % {"count": number(left_out)}
    return Said(joined([_when(facts), text, *([also] if left_out else [])]))


def _not_done(facts: Mapping[str, Any]) -> Said | None:
    state = facts.get("state")
    if state == "queued":
        return Said(joined([_when(facts), _("It is queued; a worker does it. Load the page again later.")]))
    if state == "unreachable":
        return Said(_("The queue cannot be reached. The work is stored and starts once it can."), "bad")
    if state == "failed":
        return Said(joined([_when(facts), _("It failed: %s") % facts.get("error", "")]), "bad")
    return None


def _missing(fact: Mapping[str, Any]) -> str:
    if fact.get("code") == "labels":
        return _("%(have)s labels can be judged; at least %(need)s are needed. Label more first.") % {
            "have": number(int(fact["have"])),
            "need": number(int(fact["need"])),
        }
    if fact.get("code") == "answers":
        return _("All labels are the same; at least two answers with %(each)s labels each are needed.") % {
            "each": number(int(fact["each"]))
        }
    if fact.get("code") == "no_probabilities":
        return _(
            "The labelled items have neither texts nor probabilities to judge them by. Fill the queue once "
            "the agent has published scores."
        )
    return _("More data is needed (%(code)s).") % {"code": fact.get("code")}


def _when(facts: Mapping[str, Any]) -> str:
    moment = parse_datetime(str(facts.get("at", "")))
    return f"{date_format(local(moment), 'DATETIME_FORMAT')}:" if moment else ""
