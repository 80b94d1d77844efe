"""Why a list is as it is, in the reader's language: what rules did to a product, what filters left."""

from collections.abc import Iterable, Mapping
from typing import Any

from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from crm_agents.missing import missing_sentences
from crm_agents.words import days, joined, money, number
from crm_data.selectors import get_source
from recommender.choosing.choose import Listing
from recommender.choosing.filters import Sieved
from recommender.choosing.offer import ALIKE, POPULARITY
from recommender.choosing.wish import Wish
from recommender.models import RecommendationSet


def rule_entries(said: Iterable[Mapping[str, Any]]) -> list[dict[str, str]]:
    """Return `code` and `text` of what rules did to one product."""
    return [{"code": str(fact["code"]), "text": _rule_text(fact)} for fact in said]


def note_of(row: RecommendationSet, listing: Listing, wish: Wish) -> str:
    """Say why a list is empty, short, or not the model's own; "" for one that needs no word."""
    if listing.stored and not listing.known and not listing.offers:
        return _("The recommended products are no longer in the catalogue; the next scoring replaces them.")
    if not listing.stored:
        missing = joined(missing_sentences(row.payload.get("missing", [])))
        own = missing or _("The agent found no product to recommend to this customer.")
        return joined([own, *_filling(listing, wish)])
    return joined([*_own(row, listing), *_leaving(listing), *_filling(listing, wish)])


def _own(row: RecommendationSet, listing: Listing) -> list[str]:
    if not listing.passed:
        return []
    if row.payload.get("source") == POPULARITY:
        return [_("Popular with everyone; this customer has no purchases yet.")]
    if row.payload.get("source") == ALIKE:
        return [_("What customers with the same attributes buy; this customer has no purchases yet.")]
    return []


def _leaving(listing: Listing) -> list[str]:
    if listing.excluded and listing.excluded == listing.known:
        return [_("Rules exclude every product that was recommended to this customer.")]
    return []


def _filling(listing: Listing, wish: Wish) -> list[str]:
    said = [_emptied(listing.emptied, wish)] if listing.emptied and not listing.passed else []
    if listing.filled and listing.passed:
        text = _("The filters leave %(count)s of the recommended products; the rest is what everyone buys.")
        return [text % {"count": number(listing.passed)}]
    if listing.filled:
        return [*said, _("What is shown is what everyone buys within the filters.")]
    if wish.filters and not listing.offers:
        return [*said, _("Nothing else that sells passes the filters either; widen them.")]
    return said


def _emptied(found: Sieved, wish: Wish) -> str:
    """Name the filter after which nothing was left."""
    currency = get_source().currency
    facts: dict[str, Any] = {"count": number(found.before)}
    if found.emptied == "category":
        facts["category"] = wish.category
        text = ngettext(
            "The %(count)s recommended product is not in the category %(category)s.",
            "Of %(count)s recommended products, none is in the category %(category)s.",
            found.before,
        )
    elif found.emptied == "price_min":
        facts["price"] = money(wish.price_min or 0, currency)
        text = ngettext(
            "The %(count)s recommended product that was left costs less than %(price)s.",
            "Of %(count)s recommended products that were left, none costs %(price)s or more.",
            found.before,
        )
    elif found.emptied == "price_max":
        facts["price"] = money(wish.price_max or 0, currency)
        text = ngettext(
            "The %(count)s recommended product that was left costs more than %(price)s.",
            "Of %(count)s recommended products that were left, none costs %(price)s or less.",
            found.before,
        )
    elif found.emptied == "in_stock":
        text = ngettext(
            "The %(count)s recommended product that was left is not in stock.",
            "Of %(count)s recommended products that were left, none is in stock.",
            found.before,
        )
    else:
        facts["days"] = days(wish.not_bought_days or 0)
        text = ngettext(
            "The %(count)s recommended product that was left was bought in the last %(days)s.",
            "Of %(count)s recommended products that were left, each was bought in the last %(days)s.",
            found.before,
        )
    return text % facts


def _rule_text(fact: Mapping[str, Any]) -> str:
    if fact["code"] == "pinned":
        until = fact.get("until")
        day = date_format(until, "DATE_FORMAT") if until else ""
        text = _("Pinned by a rule until %(day)s.") % {"day": day} if until else _("Pinned by a rule.")
    elif fact["code"] == "moved_up":
        text = _("Moved up by a rule.")
    else:
        text = _("Moved down by a rule.")
    return joined([text, fact["note"]]) if fact.get("note") else text
