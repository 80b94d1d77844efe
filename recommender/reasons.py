"""Why a product is recommended, in words: the facts come with the score, the names from the CRM."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from crm_agents.words import ago, days, every, number, percent, times

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


def _due(reason: Facts, names: Names) -> str:
    facts = {
        "times": times(int(reason["times"])),
        "every": every(float(reason["usual_gap_days"])),
        "ago": ago(float(reason["days_since"])),
    }
    return _("Bought %(times)s, usually %(every)s; last %(ago)s, so it is due.") % facts


def _like(reason: Facts, names: Names) -> str:
    product, words = str(reason["product"]), [str(word) for word in reason["words"]]
    facts = {"product": names.get(product, product), "times": times(int(reason["times"]))}
    text = _("New; resembles %(product)s by its name (%(words)s), which was bought %(times)s.")
    return text % {**facts, "words": ", ".join(words)} if words else ""


def _bought_with(reason: Facts, names: Names) -> str:
    product, count = str(reason["product"]), int(reason["customers"])
    facts = {"product": names.get(product, product), "count": number(count)}
    if reason.get("of") is not None:
        text = ngettext(
            "%(count)s of the %(of)s customer who bought %(product)s bought this too.",
            "%(count)s of the %(of)s customers who bought %(product)s bought this too.",
            int(reason["of"]),
        )
        return text % {**facts, "of": number(int(reason["of"]))}
    return (
        ngettext(
            "Customers who bought %(product)s bought this too (%(count)s customer).",
            "Customers who bought %(product)s bought this too (%(count)s customers).",
            count,
        )
        % facts
    )


def _category(reason: Facts, names: Names) -> str:
    facts = {"category": str(reason["category"]), "times": times(int(reason["times"]))}
    return _("Bought from %(category)s %(times)s.") % facts


def _same_branch(reason: Facts, names: Names) -> str:
    name, value, of = str(reason["attribute"]), str(reason["value"]), int(reason["of"])
    text = ngettext(
        "%(count)s of %(of)s other customer with %(attribute)s bought this in the last %(days)s; "
        "of everyone else, %(share)s.",
        "%(count)s of %(of)s other customers with %(attribute)s bought this in the last %(days)s; "
        "of everyone else, %(share)s.",
        of,
    )
    return text % {
        "count": number(int(reason["customers"])),
        "of": number(of),
        "attribute": name if value == "true" else f"{name} {value}",
        "days": days(float(reason["days"])),
        "share": percent(float(reason["elsewhere"])),
    }


def _first_order(reason: Facts, names: Names) -> str:
    text = ngettext(
        "%(count)s of the %(of)s customer who first bought in the last %(days)s began with this.",
        "%(count)s of the %(of)s customers who first bought in the last %(days)s began with this.",
        int(reason["of"]),
    )
    return text % {"of": number(int(reason["of"])), **_counted(reason)}


def _season(reason: Facts, names: Names) -> str:
    count = int(reason["customers"])
    text = ngettext(
        "A year ago %(count)s customer bought this in the %(days)s that began on this date, "
        "%(before)s in the %(days)s before.",
        "A year ago %(count)s customers bought this in the %(days)s that began on this date, "
        "%(before)s in the %(days)s before.",
        count,
    )
    return text % {"before": number(int(reason["before"])), **_counted(reason)}


def _rising(reason: Facts, names: Names) -> str:
    text = ngettext(
        "%(count)s customer bought this in the last %(days)s, %(before)s in the %(days)s before.",
        "%(count)s customers bought this in the last %(days)s, %(before)s in the %(days)s before.",
        int(reason["customers"]),
    )
    return text % {"before": number(int(reason["before"])), **_counted(reason)}


def _popular(reason: Facts, names: Names) -> str:
    count = int(reason["customers"])
    if reason["days"] is None:
        text = ngettext("%(count)s customer bought this.", "%(count)s customers bought this.", count)
        return text % {"count": number(count)}
    text = ngettext(
        "%(count)s customer bought this in the last %(days)s.",
        "%(count)s customers bought this in the last %(days)s.",
        count,
    )
    return text % _counted(reason)


def _counted(reason: Facts) -> dict[str, str]:
    return {"count": number(int(reason["customers"])), "days": days(float(reason["days"]))}


_WRITERS: dict[str, Callable[[Facts, Names], str]] = {
    "due": _due,
    "repeat": _repeat,
    "like": _like,
    "bought_with": _bought_with,
    "category": _category,
    "same_branch": _same_branch,
    "first_order": _first_order,
    "season": _season,
    "rising": _rising,
    "popular": _popular,
}
