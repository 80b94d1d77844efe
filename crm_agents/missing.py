"""What data is missing, in words: runs and scores store the facts (`handoff.missing`)."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from crm_agents.words import days, number

Facts = Mapping[str, Any]


def missing_entries(facts: Iterable[Facts]) -> list[dict[str, str]]:
    """Return `code` and `text` of each fact; one that cannot be put into words is named by its code."""
    return [{"code": str(fact.get("code")), "text": _text(fact)} for fact in facts]


def missing_sentences(facts: Iterable[Facts]) -> list[str]:
    return [_text(fact) for fact in facts]


def _text(fact: Facts) -> str:
    try:
        return _WRITERS[str(fact.get("code"))](fact)
    except (KeyError, TypeError, ValueError, OverflowError):
        return _("More data is needed (%(code)s).") % {"code": fact.get("code")}


def _no_events(fact: Facts) -> str:
    return _("There are no events; at least one customer's purchases are needed.")


def _customers(fact: Facts) -> str:
    have = int(fact["have"])
    return ngettext(
        "%(have)s customer with purchases; at least %(need)s are needed.",
        "%(have)s customers with purchases; at least %(need)s are needed.",
        have,
    ) % _figures(fact)


def _purchases(fact: Facts) -> str:
    have = int(fact["have"])
    return ngettext(
        "%(have)s purchase; at least %(need)s are needed.",
        "%(have)s purchases; at least %(need)s are needed.",
        have,
    ) % _figures(fact)


def _days(fact: Facts) -> str:
    have = int(fact["have"])
    return ngettext(
        "%(have)s day of purchase history; at least %(need)s are needed.",
        "%(have)s days of purchase history; at least %(need)s are needed.",
        have,
    ) % _figures(fact)


def _early_days(fact: Facts) -> str:
    have = int(fact["have"])
    return ngettext(
        "%(have)s day of history before the validation window; at least %(need)s are needed.",
        "%(have)s days of history before the validation window; at least %(need)s are needed.",
        have,
    ) % _figures(fact)


def _no_examples(fact: Facts) -> str:
    return _("Nothing to learn from lies before the validation window; a longer history is needed.")


def _inactive(fact: Facts) -> str:
    return _("No purchase in the last %(days)s.") % {"days": days(float(fact["days"]))}


def _no_sales(fact: Facts) -> str:
    return _("No product that is offered was ever sold, so there is nothing to go by.")


def _nothing_left(fact: Facts) -> str:
    return _("Staff refused every product that could be recommended to this customer.")


def _labels(fact: Facts) -> str:
    have = int(fact["have"])
    return ngettext(
        "%(have)s labelled text; at least %(need)s are needed.",
        "%(have)s labelled texts; at least %(need)s are needed.",
        have,
    ) % _figures(fact)


def _label_kinds(fact: Facts) -> str:
    return _("All texts have the same label; at least two different labels are needed.")


def _label_texts(fact: Facts) -> str:
    have = int(fact["have"])
    text = ngettext(
        "“%(label)s”: %(have)s text before the validation window; at least %(need)s are needed.",
        "“%(label)s”: %(have)s texts before the validation window; at least %(need)s are needed.",
        have,
    )
    return text % {**_figures(fact), "label": fact["label"]}


def _validation_labels(fact: Facts) -> str:
    return _("No labelled text lies in the validation window; label newer texts too.")


def _test_labels(fact: Facts) -> str:
    return _("No labelled text lies in the test window; label the newest texts too.")


def _no_text(fact: Facts) -> str:
    return _("No text in the last %(days)s.") % {"days": days(float(fact["days"]))}


def _figures(fact: Facts) -> dict[str, str]:
    return {"have": number(int(fact["have"])), "need": number(int(fact["need"]))}


_WRITERS: dict[str, Callable[[Facts], str]] = {
    "no_events": _no_events,
    "customers": _customers,
    "purchases": _purchases,
    "days": _days,
    "early_days": _early_days,
    "no_examples": _no_examples,
    "inactive": _inactive,
    "no_sales": _no_sales,
    "nothing_left": _nothing_left,
    "no_text": _no_text,
    "labels": _labels,
    "label_kinds": _label_kinds,
    "label_texts": _label_texts,
    "validation_labels": _validation_labels,
    "test_labels": _test_labels,
}
