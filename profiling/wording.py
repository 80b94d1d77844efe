"""The traits of a profile in words."""

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from crm_agents.words import ago, every, money, number
from profiling.selectors import Favourite, Traits


def trait_words(traits: Traits) -> dict[str, str]:
    """Return the sentences of the profile's block, by trait."""
    return {
        "recency": ago(traits.recency_days) if traits.recency_days is not None else "",
        "orders": _with_year(number(traits.orders), number(traits.orders_last_year)),
        "rhythm": _rhythm(traits.usual_gap_days),
        "spent": _with_year(_money(traits.spent, traits), _money(traits.spent_last_year, traits)),
        "average": _money(traits.average_basket, traits),
        "returns": _returns(traits),
        "different": number(traits.products),
        "categories": _favourites(traits.favourite_categories),
        "products": _favourites(traits.favourite_products),
    }


def _with_year(value: str, last_year: str) -> str:
    facts = {"value": value, "last_year": last_year}
    return _("%(value)s, of which %(last_year)s in the last 365 days") % facts


def _rhythm(gap: int | None) -> str:
    if gap is None:
        return _("not known: fewer than three days of purchase")
    return _("about %(every)s") % {"every": every(gap)}


def _returns(traits: Traits) -> str:
    if not traits.returns:
        return _("none")
    count = ngettext("%(count)s return", "%(count)s returns", traits.returns) % {
        "count": number(traits.returns)
    }
    if traits.returned is None:
        return count
    return _("%(returns)s worth %(amount)s") % {"returns": count, "amount": _money(traits.returned, traits)}


def _favourites(found: tuple[Favourite, ...]) -> str:
    return ", ".join(f"{favourite.name} ({number(favourite.orders)})" for favourite in found)


def _money(amount: float | None, traits: Traits) -> str:
    return money(amount or 0, traits.currency)
