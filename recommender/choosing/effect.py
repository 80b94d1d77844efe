"""Whether a rule does anything today, and if not, why: what it speaks of may be gone since it was made."""

from collections.abc import Iterable

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from crm_data.choices import categories_among, has_attribute
from crm_data.selectors import ProductRecord, product_records
from recommender.models import RecommendationRule, RuleAction


def without_effect(rules: Iterable[RecommendationRule], *, tenant: str) -> dict[int, str]:
    """Return, by rule, why it has no effect today, "" for one that has; a few queries for them all."""
    rules = list(rules)
    products = product_records({rule.product for rule in rules if rule.product}, tenant=tenant)
    categories = categories_among({rule.category for rule in rules if rule.category}, tenant=tenant)
    names = {rule.attribute for rule in rules if rule.attribute}
    attributes = {name for name in names if has_attribute(name, tenant=tenant)}
    return {rule.pk: _day(rule) or _gone(rule, products, categories, attributes) for rule in rules}


def _day(rule: RecommendationRule) -> str:
    today = timezone.localdate()
    if not rule.active:
        return _("It is switched off.")
    if rule.ends and rule.ends < today:
        return _("It ended on %(day)s.") % {"day": date_format(rule.ends, "DATE_FORMAT")}
    if rule.starts and rule.starts > today:
        return _("It starts on %(day)s.") % {"day": date_format(rule.starts, "DATE_FORMAT")}
    return ""


def _gone(
    rule: RecommendationRule, products: dict[str, ProductRecord], categories: set[str], attributes: set[str]
) -> str:
    record = products.get(rule.product)
    if rule.product and record is None:
        return _("The product is no longer in the catalogue.")
    if record is not None and rule.action == RuleAction.PIN and record.available is False:
        return _("The product is not available now.")
    if rule.category and rule.category not in categories:
        return _("No product has this category any more.")
    if rule.attribute and rule.attribute not in attributes:
        return _("No customer has this attribute any more.")
    return ""
