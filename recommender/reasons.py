"""Why a product is recommended, in words: the facts come with the score, the names from the CRM."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from crm_agents.words import ago, days, every, number, times

Facts = Mapping[str, Any]
Names = Mapping[str, str]


def reason_entries(reasons: Iterable[Facts], product_names: Names) -> list[dict[str, str]]:
    """Return `code` and `text` of each reason; unknown codes and those without their facts are left out."""
    return [
        {"code": str(reason["code"]), "text": text}
        for reason in reasons
        if (text := _text(reason, product_names))
    ]


def products_named(reasons: Iterable[Facts]) -> list[str]:
    """Return the products whose names the sentences need."""
    return [str(reason["product"]) for reason in reasons if reason.get("product") is not None]


def _text(reason: Facts, names: Names) -> str:
    write = _WRITERS.get(str(reason.get("code")))
    if write is None:
        return ""
    try:
        return write(reason, names)
    except (KeyError, TypeError, ValueError, OverflowError):
        return ""


def _repeat(reason: Facts, names: Names) -> str:
    count, since = int(reason["times"]), float(reason["days_since"])
    if count == 1:
        return _("Bought once, %(ago)s.") % {"ago": ago(since)}
    if reason.get("usual_gap_days") is None:
        return _("Bought %(times)s; last %(ago)s.") % {"times": times(count), "ago": ago(since)}
    gap = every(float(reason["usual_gap_days"]))
    facts = {"times": times(count), "every": gap, "ago": ago(since)}
    return _("Bought %(times)s, about %(every)s; last %(ago)s.") % facts


def _bought_with(reason: Facts, names: Names) -> str:
    product, count = str(reason["product"]), int(reason["customers"])
    return ngettext(
        "Customers who bought %(product)s bought this too (%(count)s customer).",
        "Customers who bought %(product)s bought this too (%(count)s customers).",
        count,
    ) % {"product": names.get(product, product), "count": number(count)}


def _category(reason: Facts, names: Names) -> str:
    facts = {"category": str(reason["category"]), "times": times(int(reason["times"]))}
    return _("Bought from %(category)s %(times)s.") % facts


def _popular(reason: Facts, names: Names) -> str:
    count = int(reason["customers"])
    return ngettext(
        "%(count)s customer bought this in the last %(days)s.",
        "%(count)s customers bought this in the last %(days)s.",
        count,
    ) % {"count": number(count), "days": days(float(reason["days"]))}


_WRITERS: dict[str, Callable[[Facts, Names], str]] = {
    "repeat": _repeat,
    "bought_with": _bought_with,
    "category": _category,
    "popular": _popular,
}
