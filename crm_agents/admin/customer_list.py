"""One page of the customers whom a user may see, found without counting all of them."""

from collections.abc import Mapping
from dataclasses import dataclass

from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser
from django.db.models import Q

from crm_agents.recipes import Cell, Text, recipes
from crm_agents.services.agents import get_agent
from crm_data.selectors import get_source, visible_customers

PAGE_SIZE = 50


@dataclass(frozen=True)
class CustomersPage:
    """Customers as (id, name), with the numbers of the pages around."""

    customers: list[tuple[str, str]]
    number: int
    has_next: bool

    @property
    def ids(self) -> list[str]:
        return [customer_id for customer_id, _ in self.customers]

    @property
    def next(self) -> int | None:
        return self.number + 1 if self.has_next else None

    @property
    def previous(self) -> int | None:
        return self.number - 1 if self.number > 1 else None


@dataclass(frozen=True)
class Column:
    """What one agent says of the customers of a page, by customer id."""

    title: Text
    cells: Mapping[str, Cell]


def customers_page(
    user: AbstractBaseUser | AnonymousUser, *, tenant: str, query: str, number: int
) -> CustomersPage:
    """Return the customers whose name contains `query`, or whose id begins with it, by name."""
    start = (number - 1) * PAGE_SIZE
    with get_source().scope(tenant):
        customers = visible_customers(user, tenant=tenant)
        if query:
            customers = customers.filter(Q(crm_name__icontains=query) | Q(crm_id__istartswith=query))
        ordered = customers.order_by("crm_name", "crm_id").values_list("crm_id", "crm_name")
        found = list(ordered[start : start + PAGE_SIZE + 1])  # one more tells whether there is a next page
    rows = [(customer_id, name or customer_id) for customer_id, name in found[:PAGE_SIZE]]
    return CustomersPage(rows, number, has_next=len(found) > PAGE_SIZE)


def columns_of(customer_ids: list[str], tenant: str) -> list[Column]:
    """Return the columns of the agents that bring one."""
    return [
        Column(recipe.column, recipe.customer_cells(get_agent(recipe.name, tenant=tenant), customer_ids))
        for recipe in recipes()
        if recipe.column
    ]
