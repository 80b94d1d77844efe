"""Small pieces of sentences that the agents' reasons are made of, in the reader's language."""

from collections.abc import Iterable, Mapping

from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext


def number(value: float, decimals: int = 0) -> str:
    """Return a number with the language's separators: 1204 is "1,204"."""
    return str(number_format(round(float(value), decimals), decimals, force_grouping=True))


def figure(value: object) -> str:
    """Write a metric's value: four digits after the point, whole numbers as such, a dash for none."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return "–" if value is None else str(value)
    if isinstance(value, int):
        return number(value)
    return f"{value:.4f}"


def setting(value: object) -> str:
    """Write a setting's value for people: a list by its parts, a mapping by its names, a dash for nothing."""
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {setting(each)}" for name, each in value.items()) or "–"
    if isinstance(value, list | tuple):
        return ", ".join(setting(each) for each in value) or "–"
    return "–" if value is None or value == "" else str(value)


def percent(share: float) -> str:
    """Return a probability in whole per cent; nothing but 0 and 1 themselves is called 0 or 100 %."""
    if 0 < share < 0.01:
        return "< 1 %"
    if 0.99 < share < 1:
        return "> 99 %"
    return f"{number(share * 100)} %"


def money(value: float, currency: str) -> str:
    """Return an amount with its currency: "1,204.50 GBP"."""
    return f"{number(value, 2)} {currency}".rstrip()


def times(count: int) -> str:
    if count == 1:
        return _("once")
    return ngettext("%(count)s time", "%(count)s times", count) % {"count": number(count)}


def days(count: float) -> str:
    whole = round(count)
    return ngettext("%(count)s day", "%(count)s days", whole) % {"count": number(whole)}


def every(gap_days: float) -> str:
    whole = max(1, round(gap_days))
    if whole == 1:
        return _("every day")
    return ngettext("every %(count)s day", "every %(count)s days", whole) % {"count": number(whole)}


def ago(days_since: float) -> str:
    whole = round(days_since)
    if whole < 1:
        return _("less than a day ago")
    return ngettext("%(count)s day ago", "%(count)s days ago", whole) % {"count": number(whole)}


def joined(sentences: Iterable[str]) -> str:
    """Return sentences one after the other; not every language puts a space between them."""
    whole = ""
    for sentence in sentences:
        whole = _("%(sentence)s %(next)s") % {"sentence": whole, "next": sentence} if whole else sentence
    return whole
