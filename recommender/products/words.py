"""The facts about two products, in words."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from crm_agents.words import money, number, percent, times
from crm_data.selectors import get_source

Facts = Mapping[str, Any]


def relation_entries(reasons: Iterable[Facts]) -> list[dict[str, str]]:
    """Return `code` and `text` of each reason; unknown codes and those without their facts are left out."""
    found = ((str(reason.get("code")), _text(reason)) for reason in reasons)
    return [{"code": code, "text": text} for code, text in found if text]


def _text(reason: Facts) -> str:
    write = _WRITERS.get(str(reason.get("code")))
    if write is None:
        return ""
    try:
        return write(reason)
    except (KeyError, TypeError, ValueError, OverflowError, ZeroDivisionError):
        return ""


def _similar_name(reason: Facts) -> str:
    return _("Both names have: %(words)s.") % {"words": ", ".join(map(str, reason["words"]))}


def _same_category(reason: Facts) -> str:
    return _("Same category: %(category)s.") % {"category": reason["category"]}


def _near_price(reason: Facts) -> str:
    currency = get_source().currency
    prices = {"price": money(reason["price"], currency), "beside": money(reason["beside"], currency)}
    return _("Costs %(price)s, about as much as this one (%(beside)s).") % prices


def _instead(reason: Facts) -> str:
    customers, orders = int(reason["customers"]), int(reason["orders"])
    facts = {"count": number(customers), "times": times(orders)}
    if not orders:
        return (
            ngettext(
                "%(count)s customer bought both, never in one order.",
                "%(count)s customers bought both, never in one order.",
                customers,
            )
            % facts
        )
    return (
        ngettext(
            "%(count)s customer bought both; they stood in one order %(times)s.",
            "%(count)s customers bought both; they stood in one order %(times)s.",
            customers,
        )
        % facts
    )


def _together(reason: Facts) -> str:
    orders, of = int(reason["orders"]), int(reason["of"])
    facts = {
        "orders": number(orders),
        "of": number(of),
        "share": percent(orders / of),
        "lift": number(float(reason["lift"]), 1),
    }
    return (
        _("In %(orders)s of the %(of)s orders with it (%(share)s), %(lift)s times as often as by chance.")
        % facts
    )


_WRITERS: dict[str, Callable[[Facts], str]] = {
    "similar_name": _similar_name,
    "same_category": _same_category,
    "near_price": _near_price,
    "instead": _instead,
    "together": _together,
}
