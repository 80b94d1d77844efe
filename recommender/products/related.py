"""Substitutes and bundles of a product, as JSON values with the facts in words."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from crm_agents.answers import provenance
from crm_agents.models import Agent
from crm_data.selectors import ProductRecord, get_source, product_records
from recommender.models import ProductRelations
from recommender.products.found import relations_of
from recommender.products.why import why_no_bundles, why_no_substitutes, why_not_ranked
from recommender.products.words import relation_entries


def substitutes_for(agent: Agent, product: ProductRecord) -> dict[str, Any]:
    """Return what may be offered instead of a product, the best first; `note` explains an empty list."""
    return _related(agent, product, "substitutes", _substitute, why_no_substitutes)


def bundles_for(agent: Agent, product: ProductRecord) -> dict[str, Any]:
    """Return what is bought in one order with a product, the strongest first; `note` as above."""
    return _related(agent, product, "bundles", _bundled, why_no_bundles)


def _related(
    agent: Agent,
    product: ProductRecord,
    name: str,
    entry_of: Callable[[Mapping[str, Any]], dict[str, Any]],
    why_none: Callable[[ProductRelations], str],
) -> dict[str, Any]:
    relations = relations_of(agent, product.id)
    note = why_not_ranked(agent, relations)
    items: list[dict[str, Any]] = []
    if relations is not None:
        stored = relations.payload.get(name, [])
        records = _on_sale((str(entry["product"]) for entry in stored), agent.tenant)
        items = [
            {**about(records[str(entry["product"])]), **entry_of(entry)}
            for entry in stored
            if str(entry["product"]) in records
        ]
        note = note or ("" if items else why_none(relations))
    return {"agent": agent.name, **about(product), "items": items, "note": note, **provenance(agent)}


def about(product: ProductRecord) -> dict[str, Any]:
    """Return what every answer about a product begins with."""
    return {
        "product": product.id,
        "name": product.name,
        "category": product.category,
        "price": product.price,
    }


def _on_sale(ids: Iterable[str], tenant: str) -> dict[str, ProductRecord]:
    """Return the products that the catalogue still has and that are available now."""
    wanted = list(ids)
    if get_source().products is None:
        return {key: ProductRecord(id=key, name=key, category="", price=None) for key in wanted}
    found = product_records(wanted, tenant=tenant)
    return {key: record for key, record in found.items() if record.available is not False}


def _substitute(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {"reasons": relation_entries(entry.get("reasons", []))}


def _bundled(entry: Mapping[str, Any]) -> dict[str, Any]:
    facts = {name: entry.get(name) for name in ("orders", "of", "lift")}
    return {**facts, "reasons": relation_entries([{"code": "together", **facts}])}
