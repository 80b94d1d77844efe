"""Why a customer is, or is not, at risk, in words: the facts come with the score."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from crm_agents.words import ago, days, every, money, number, times

Facts = Mapping[str, Any]


def reason_entries(reasons: Iterable[Facts], currency: str) -> list[dict[str, str]]:
    """Return `code`, `direction` ("up" raises the risk), `effect` and `text` of each reason.

    A code this version does not know, or one without its facts, is left out.
    """
    return [
        {
            "code": str(reason["code"]),
            "direction": str(reason["direction"]),
            "effect": _("raises the risk") if reason["direction"] == "up" else _("lowers the risk"),
            "text": text,
        }
        for reason in reasons
        if reason.get("direction") in ("up", "down") and (text := _text(reason, currency))
    ]


def _text(reason: Facts, currency: str) -> str:
    write = _WRITERS.get(str(reason.get("code")))
    if write is None:
        return ""
    try:
        return write(reason, currency)
    except (KeyError, TypeError, ValueError, OverflowError):
        return ""


def _overdue(reason: Facts, currency: str) -> str:
    facts = {"every": every(float(reason["usual_gap_days"])), "ago": ago(float(reason["days_since"]))}
    return _("Usually orders %(every)s; last order %(ago)s.") % facts


def _recent_purchase(reason: Facts, currency: str) -> str:
    return _("Last order %(ago)s.") % {"ago": ago(float(reason["days_since"]))}


def _spend(reason: Facts, currency: str) -> str:
    return _("Spent %(recent)s in the last %(days)s, after %(before)s in the %(days)s before.") % {
        "recent": money(float(reason["recent"]), currency),
        "before": money(float(reason["before"]), currency),
        "days": days(float(reason["days"])),
    }


def _orders(reason: Facts, currency: str) -> str:
    recent = int(reason["recent"])
    return ngettext(
        "%(recent)s order in the last %(days)s, after %(before)s in the %(days)s before.",
        "%(recent)s orders in the last %(days)s, after %(before)s in the %(days)s before.",
        recent,
    ) % {
        "recent": number(recent),
        "before": number(int(reason["before"])),
        "days": days(float(reason["days"])),
    }


def _returns(reason: Facts, currency: str) -> str:
    count = int(reason["count"])
    return ngettext(
        "%(count)s return in the last %(days)s.", "%(count)s returns in the last %(days)s.", count
    ) % {"count": number(count), "days": days(float(reason["days"]))}


def _complaints(reason: Facts, currency: str) -> str:
    count = int(reason["count"])
    return ngettext(
        "%(count)s complaint in the last %(days)s.", "%(count)s complaints in the last %(days)s.", count
    ) % {"count": number(count), "days": days(float(reason["days"]))}


def _regular(reason: Facts, currency: str) -> str:
    facts = {"times": times(int(reason["orders"])), "days": days(float(reason["days"]))}
    return _("Ordered %(times)s in the last %(days)s.") % facts


def _single_purchase(reason: Facts, currency: str) -> str:
    return _("Bought only once, %(ago)s.") % {"ago": ago(float(reason["days_since"]))}


def _long_silence(reason: Facts, currency: str) -> str:
    return _("No purchase for %(days)s.") % {"days": days(float(reason["days_since"]))}


_WRITERS: dict[str, Callable[[Facts, str], str]] = {
    "overdue": _overdue,
    "recent_purchase": _recent_purchase,
    "spend_down": _spend,
    "spend_up": _spend,
    "orders_down": _orders,
    "orders_up": _orders,
    "returns": _returns,
    "complaints": _complaints,
    "regular": _regular,
    "single_purchase": _single_purchase,
    "long_silence": _long_silence,
}
