"""Why an answer about a product is empty, or is to be read with care; in the reader's language."""

from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from crm_agents.answers import as_of, why_nothing_is_live
from crm_agents.models import Agent
from crm_agents.words import joined, number
from crm_data.selectors import ProductRecord
from recommender.models import ProductRelations

FEW_ORDERS = 3  # below that nothing is said of what is bought together


def why_not_ranked(agent: Agent, relations: ProductRelations | None) -> str:
    """Say why the live scores know nothing of a product; "" where they do."""
    moment = as_of(agent)
    if moment is None:
        return joined(entry["text"] for entry in why_nothing_is_live(agent))
    if relations is not None:
        return ""
    if not ProductRelations.objects.filter(scoring=agent.live_scoring_id).exists():
        return _("The live scores were made before products were looked at; the next scoring tells.")
    day = date_format(moment, "DATE_FORMAT")
    return _("The scores of %(day)s do not know this product; the next scoring does.") % {"day": day}


def why_no_callers(relations: ProductRelations, kept: int, *, ruled_out: bool) -> str:
    """Say why there is nobody to call; `kept` is how many customers the scores name."""
    if ruled_out:
        return _("A rule excludes this product from what is recommended, so nobody is named.")
    if not relations.payload.get("offered", True):
        return _("The product was not on sale when the scores were made, so nobody was ranked.")
    if not kept:
        return _("No customer with a history is left who could be called about it.")
    return ngettext(
        "The %(count)s customer whom the scores name is none that you may see and call.",
        "The %(count)s customers whom the scores name are none that you may see and call.",
        kept,
    ) % {"count": number(kept)}


def how_ranked(product: ProductRecord, relations: ProductRelations) -> str:
    """Say what a reader should know of the ranking; "" where it rests on sales, as usual."""
    said = []
    if product.available is False:
        said.append(_("The product is not available now."))
    if not relations.payload.get("orders"):
        said.append(_unsold(relations.payload.get("ranked_by", [])))
    return joined(said)


def _unsold(ranked_by: list[str]) -> str:
    names = {"name": _("name"), "category": _("category"), "price": _("price")}
    known = [str(names[each]) for each in ranked_by if each in names]
    if not known:
        return _(
            "Nobody has bought it yet, and nothing is known of it that the agent reads: the order says "
            "little. Enter its category and price."
        )
    text = _("Nobody has bought it yet: customers are ranked by what is known of it (%(known)s).")
    return text % {"known": ", ".join(known)}


def why_no_substitutes(relations: ProductRelations) -> str:
    if not relations.payload.get("known_by"):
        return _("Neither name, category nor price of it is known, so nothing can be found that is like it.")
    return _("No product on sale is enough like it.")


def why_no_bundles(relations: ProductRelations) -> str:
    orders = int(relations.payload.get("orders", 0))
    if not orders:
        return _("Nobody has bought it yet.")
    if orders < FEW_ORDERS:
        return ngettext(
            "It stands in %(count)s order only, too few to say what goes with it.",
            "It stands in %(count)s orders only, too few to say what goes with it.",
            orders,
        ) % {"count": number(orders)}
    return _("Nothing stands in one order with it clearly more often than chance would have it.")
