"""Makes the lists: reads once what several of them need, then takes each through rules, filters and order."""

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from django.utils import timezone

from crm_agents.models import Agent
from crm_data.selectors import (
    ProductRecord,
    bought_products,
    customer_attributes,
    get_source,
    product_records,
)
from recommender.choosing.filters import Sieved, sieved
from recommender.choosing.offer import ALIKE, MODEL, POPULARITY, Offer, weighed
from recommender.choosing.picking import picked
from recommender.choosing.popular import DAYS, popular
from recommender.choosing.rules import applies_to, governed, rules_on
from recommender.choosing.value import priced
from recommender.choosing.variety import Alike, alike, alike_by
from recommender.choosing.wish import VALUE, Wish
from recommender.conf import default_diversity
from recommender.models import ProductRelations, RecommendationRule, RecommendationSet
from recommender.reasons import products_named


@dataclass(frozen=True)
class Listing:
    """One customer's list, and the figures from which it is said why it is as it is."""

    offers: list[Offer]
    stored: int = 0  # products that the agent scored
    known: int = 0  # of these, the ones that the catalogue still has
    excluded: int = 0  # by rules
    passed: int = 0  # the filters, rules obeyed
    emptied: Sieved | None = None  # by a filter
    filled: int = 0  # with what everybody buys
    basis: str = ""  # of the expected values


@dataclass
class Shelf:
    """What the lists of some customers of one tenant need: rules, attributes and products, read at once.

    `rules` replaces those of today: the empty list shows what the agent alone would recommend.
    """

    rows: Sequence[RecommendationSet]
    tenant: str
    wish: Wish
    rules: Sequence[RecommendationRule] | None = None
    products: dict[str, ProductRecord] = field(init=False)

    def __post_init__(self) -> None:
        if self.rules is None:
            self.rules = rules_on(timezone.localdate(), self.tenant)
        self.products = product_records(self._named(), tenant=self.tenant)

    @cached_property
    def names(self) -> dict[str, str]:
        return {product: record.name or product for product, record in self.products.items()}

    @cached_property
    def diversity(self) -> float:
        asked = self.wish.diversity
        return default_diversity() if asked is None else asked

    @cached_property
    def _whole(self) -> bool:
        """Whether more of a list is needed than is shown of it."""
        return bool(self.rules or self.wish.filters or self.wish.order == VALUE or self.diversity)

    def listing(self, row: RecommendationSet, *, agent: Agent | None = None) -> Listing:
        """Make one customer's list; with `agent`, filters that leave it short have it filled up."""
        stored = self._stored(row)
        rules = self._rules_of(row.customer_id)
        said = str(row.payload.get("source"))
        source = said if said in (ALIKE, POPULARITY) else MODEL
        offers = [
            Offer(record, source, item.get("score"), tuple(item.get("reasons", ())))
            for item in stored
            if (record := self._record(str(item["product"]))) is not None
        ]
        known = len(offers)
        after = governed(offers, rules, self.products)
        bought = self._bought(row.customer_id)
        passed = sieved(after.others, self.wish, bought)
        pinned = sieved(after.pinned, self.wish, bought).offers
        basis = priced([*pinned, *passed.offers])
        chosen = picked(
            pinned,
            self._ordered(passed.offers),
            limit=self.wish.limit,
            caps=after.caps,
            diversity=self.diversity,
            likeness_of=self._likeness(row),
        )
        filled: list[Offer] = []
        if agent is not None and self.wish.filters and len(chosen) < self.wish.limit:
            filled = self._filled(agent, chosen, offers, rules, bought)
        return Listing(
            offers=[*chosen, *filled],
            stored=len(stored),
            known=known,
            excluded=after.excluded,
            passed=len(chosen),
            emptied=passed if passed.emptied else None,
            filled=len(filled),
            basis=basis,
        )

    def _ordered(self, offers: list[Offer]) -> list[Offer]:
        """Sort by chance or value with the rules' factors; equals stay as the agent ranked them."""
        if self.wish.order == VALUE:
            return sorted(offers, key=lambda offer: -weighed(offer.value, offer.factor))
        if all(offer.factor == 1 for offer in offers):
            return offers
        return sorted(offers, key=lambda offer: -weighed(offer.score, offer.factor))

    def _filled(
        self,
        agent: Agent,
        chosen: Sequence[Offer],
        known: Iterable[Offer],
        rules: Sequence[RecommendationRule],
        bought: set[str],
    ) -> list[Offer]:
        """Return what everybody buys, within the same rules and filters, for the places that are free."""
        seen = {offer.product for offer in [*chosen, *known]}
        buyers = {product: count for product, count in popular(agent) if product not in seen}
        records = product_records(buyers, tenant=self.tenant)
        offers = [
            Offer(
                records[product], POPULARITY, reasons=({"code": "popular", "customers": count, "days": DAYS},)
            )
            for product, count in buyers.items()
            if product in records
        ]
        unpinned = [rule for rule in rules if rule.action != "pin"]
        after = governed(offers, unpinned, records)
        wanted = sieved(after.others, self.wish, bought).offers
        both = picked(chosen, wanted, limit=self.wish.limit, caps=after.caps, diversity=0.0)
        return both[len(chosen) :]

    def _likeness(self, row: RecommendationSet) -> Alike:
        """Ask the scores, too, how alike products are, where one list alone is made and is to be mixed."""
        if not self.diversity or len(self.rows) > 1:
            return alike
        relations = ProductRelations.objects.filter(scoring=row.scoring_id, key__in=list(self.products))
        return alike_by(relations)

    def _bought(self, customer_id: str) -> set[str]:
        if self.wish.not_bought_days is None:
            return set()
        now = timezone.now()
        since = now - dt.timedelta(days=self.wish.not_bought_days)
        found = bought_products(customer_id, upto=now, since=since, tenant=self.tenant)
        return {product for product, _basket, _at in found}

    def _rules_of(self, customer_id: str) -> list[RecommendationRule]:
        mine = self._attributes.get(customer_id, {})
        return [rule for rule in self.rules or () if applies_to(rule, mine)]

    @cached_property
    def _attributes(self) -> dict[str, dict[str, Any]]:
        """The customers' attributes, read only where a rule asks for one."""
        if not any(rule.attribute for rule in self.rules or ()):
            return {}
        return customer_attributes({row.customer_id for row in self.rows}, tenant=self.tenant)

    def _stored(self, row: RecommendationSet) -> list[Mapping[str, Any]]:
        items: list[Mapping[str, Any]] = row.payload.get("items", [])
        return items if self._whole else items[: self.wish.limit]

    def _record(self, product: str) -> ProductRecord | None:
        """Return the product; one that the CRM has deleted since the scoring must not be offered any more."""
        if not self._catalogued:
            return ProductRecord(id=product, name=product, category="", price=None)
        return self.products.get(product)

    @cached_property
    def _catalogued(self) -> bool:
        return get_source().products is not None

    def _named(self) -> set[str]:
        found = {rule.product for rule in self.rules or () if rule.action == "pin"}
        for row in self.rows:
            for item in self._stored(row):
                found |= {str(item["product"]), *products_named(item.get("reasons", []))}
        return found
