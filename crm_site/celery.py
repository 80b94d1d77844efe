"""The site's Celery app. Its settings are the `CELERY_…` names of `crm_site.settings`."""

import os

from celery import Celery
from kombu.transport import TRANSPORT_ALIASES

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "crm_site.settings")

# kombu takes no dotted path with an underscore as a URL's scheme, hence the alias: `folder://`.
TRANSPORT_ALIASES["folder"] = "crm_site.filesystem_broker:Transport"

app = Celery("crm_site")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
