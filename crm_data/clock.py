"""Moments as people read them: in their time zone, also where a host keeps none."""

from datetime import datetime

from django.utils import timezone


def local(moment: datetime) -> datetime:
    """Return a moment in the present time zone; a naive one is local already."""
    return timezone.localtime(moment) if timezone.is_aware(moment) else moment


def minute(moment: datetime) -> str:
    """Write a moment as rows and messages name things by it: "2026-03-02 04:15"."""
    return f"{local(moment):%Y-%m-%d %H:%M}"
