"""The Celery app that a host without one adds: six lines."""

import os

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "oscar_host.settings")
app = Celery("oscar_host")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
