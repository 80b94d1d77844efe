"""Words of the host that are offered to choose from."""

from typing import Any

import pytest

from crm_data.choices import attribute_names, categories_among, has_attribute, product_categories
from crm_data.models import Customer, Product


def test_categories_are_named_once_in_their_order(db: None) -> None:
    for code, category in (("1", "Tea"), ("2", "Cups"), ("3", "Tea"), ("4", "")):
        Product.objects.create(code=code, category=category)
    assert product_categories() == ["Cups", "Tea"]
    assert product_categories(limit=1) == ["Cups"]
    assert categories_among({"Tea", "tea", "Hats"}) == {"Tea"}
    assert categories_among(set()) == set()


def test_attributes_are_those_declared_and_those_of_the_json_object(db: None) -> None:
    Customer.objects.create(code="1", attributes={"branch": "gifts"})
    Customer.objects.create(code="2", attributes={"size": 3})
    assert attribute_names() == ["branch", "country", "size"]
    for name in ("branch", "country", "size"):
        assert has_attribute(name), name
    for name in ("Branch", "colour", "", "a__b", "%"):
        assert not has_attribute(name), name


@pytest.mark.usefixtures("shapes")
def test_a_source_without_products_or_json_has_none_of_these(settings: Any) -> None:
    settings.CRM_AGENTS = {**settings.CRM_AGENTS, "SOURCE": "tests.hosts.shapes.sources.People"}
    assert product_categories() == []
    assert categories_among({"Tea"}) == set()
    assert attribute_names() == []
    assert not has_attribute("slug")
