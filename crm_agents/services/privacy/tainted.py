"""Versions that learnt from a customer erased since: weights name nobody, and still remember."""

from django.db.models import Q, QuerySet

from crm_agents.models import ModelVersion
from crm_data.models import Erasure


def tainted_versions(tenant: str) -> list[ModelVersion]:
    """Return the versions trained on data that held an erased customer, or made from such a version."""
    versions = ModelVersion.objects.filter(agent__tenant=tenant).select_related("agent", "snapshot")
    found = {version.pk: version for version in versions.filter(snapshot__erased__gt=0)}
    ahead = list(found)
    while ahead:
        children = [child for child in versions.filter(parent__in=ahead) if child.pk not in found]
        found |= {child.pk: child for child in children}
        ahead = [child.pk for child in children]
    return sorted(found.values(), key=lambda version: -version.pk)


def untold_versions(tenant: str) -> "QuerySet[ModelVersion]":
    """Return the versions of which it cannot be told: their data were removed before an erasure."""
    last = Erasure.objects.filter(tenant=tenant).order_by("-at").values_list("at", flat=True).first()
    versions = ModelVersion.objects.filter(agent__tenant=tenant).select_related("agent", "snapshot")
    if last is None:
        return versions.none()
    return versions.filter(Q(snapshot__removed_at__lt=last), created_at__lt=last, snapshot__erased=0)
