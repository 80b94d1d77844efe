"""A web shop of django-oscar, as its documentation sets one up, with the agents installed beside it."""

from oscar_host.celery import app as celery_app

__all__ = ["celery_app"]
