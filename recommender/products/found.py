"""Products as they are asked for: one by its number, or some by a part of the name."""

from django.db.models import Q

from crm_agents.models import Agent
from crm_data import reading
from crm_data.selectors import ProductRecord, get_source, product_records
from recommender.models import ProductRelations

PAGE_SIZE = 50


class ProductNotFound(LookupError):
    """Neither the CRM nor the live scores know a product of this number."""


def find_product(agent: Agent, product_id: str) -> ProductRecord:
    """Return a product of the CRM; of a host without products, one that was sold. Raises ProductNotFound."""
    tenant = agent.tenant
    if get_source().products is not None:
        found = product_records([product_id], tenant=tenant).get(product_id)
        if found is not None:
            return found
    elif relations_of(agent, product_id) is not None:
        return ProductRecord(id=product_id, name=product_id, category="", price=None)
    raise ProductNotFound(product_id)


def relations_of(agent: Agent, product_id: str) -> ProductRelations | None:
    """Return what the live scores hold of a product's place among the others."""
    if agent.live_scoring_id is None:
        return None
    rows = ProductRelations.objects.filter(scoring=agent.live_scoring_id, key=product_id)
    return rows.order_by("shard").first()


def search_products(tenant: str, query: str, number: int) -> tuple[list[tuple[str, str, str]], bool]:
    """Return one page of products as (id, name, category), by name, and whether another page follows.

    `query` is a part of the name or the beginning of the number; "" lists them all.
    """
    source = get_source()
    with source.scope(tenant):
        every = reading.products(source)
        if every is None:
            return [], False
        if query:
            every = every.filter(Q(crm_name__icontains=query) | Q(crm_id__istartswith=query))
        start = (number - 1) * PAGE_SIZE
        ordered = every.order_by("crm_name", "crm_id").values_list("crm_id", "crm_name", "crm_category")
        found = list(ordered[start : start + PAGE_SIZE + 1])
    rows = [(key, name or key, category or "") for key, name, category in found[:PAGE_SIZE]]
    return rows, len(found) > PAGE_SIZE
