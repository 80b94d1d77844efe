"""What everybody buys: the products that fill a list which a reader's filters leave short."""

import datetime as dt
from typing import Any

from django.core.cache import cache

from crm_agents.models import Agent
from crm_data.selectors import popular_products

DAYS = 28
KEPT = 1_000  # products; enough to find some of nearly any category
KEPT_SECONDS = 6 * 3600
LISTED = 50  # products of a control group's list


def popular(agent: Agent) -> list[tuple[str, int]]:
    """Return products with the customers who bought them in the DAYS before the live scores, most first.

    Counted once for each set of scores, and kept in the cache. Empty where nothing is live.
    """
    if agent.live_scoring is None:
        return []
    key = f"crm_agents_recommender.popular.{agent.live_scoring.pk}"
    found: list[tuple[str, int]] | None = cache.get(key)
    if found is None:
        upto = agent.live_scoring.as_of
        since = upto - dt.timedelta(days=DAYS)
        found = popular_products(since=since, upto=upto, limit=KEPT, tenant=agent.tenant)
        cache.set(key, found, KEPT_SECONDS)
    return found


def popular_payload(agent: Agent) -> dict[str, Any]:
    """Return the list of everybody's favourites as the score table has lists, for control groups."""
    items = [
        {
            "product": product,
            "score": None,
            "reasons": [{"code": "popular", "customers": customers, "days": DAYS}],
        }
        for product, customers in popular(agent)[:LISTED]
    ]
    return {"source": "popularity", "items": items}
