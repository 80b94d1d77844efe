"""Words of the host that a person may choose among: categories of products, attributes of customers."""

from crm_data import reading
from crm_data.selectors import get_source
from crm_data.source import Many

SAMPLED = 200  # customers whose JSON attributes are looked into for names to offer
MOST_CATEGORIES = 500


def product_categories(*, tenant: str = "", limit: int = MOST_CATEGORIES) -> list[str]:
    """Return the categories of the products, in alphabetical order."""
    source = get_source()
    with source.scope(tenant):
        every = reading.products(source)
        if every is None:
            return []
        found = every.exclude(crm_category=None).exclude(crm_category="")
        names = found.order_by("crm_category").values_list("crm_category", flat=True).distinct()
        return list(names[:limit])


def categories_among(names: set[str], *, tenant: str = "") -> set[str]:
    """Return those of `names` that some product has as its category."""
    source = get_source()
    with source.scope(tenant):
        every = reading.products(source)
        if every is None or not names:
            return set()
        found = every.filter(crm_category__in=names).order_by("crm_category")
        return set(found.values_list("crm_category", flat=True).distinct())


def attribute_names(*, tenant: str = "") -> list[str]:
    """Return names of customers' attributes: all that the Source declares, and some of its JSON object."""
    source = get_source()
    mapping = source.customers
    names = {path.path if isinstance(path, Many) else path for path in mapping.attributes}
    if mapping.json_attributes is not None:
        with source.scope(tenant):
            objects = reading.rows(mapping).values_list(mapping.json_attributes, flat=True)
            names |= {str(name) for each in objects[:SAMPLED] if isinstance(each, dict) for name in each}
    return sorted(names)


def has_attribute(name: str, *, tenant: str = "") -> bool:
    """Whether the Source declares an attribute, or the JSON object of any customer has it."""
    source = get_source()
    mapping = source.customers
    if name in {path.path if isinstance(path, Many) else path for path in mapping.attributes}:
        return True
    if mapping.json_attributes is None:
        return False
    with source.scope(tenant):
        return reading.rows(mapping).filter(**{f"{mapping.json_attributes}__has_key": name}).exists()
