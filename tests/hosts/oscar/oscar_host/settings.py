"""Settings of a minimal oscar shop; what the agents add stands at the end."""

import os
from pathlib import Path

import oscar
from oscar.defaults import *  # noqa: F403  as oscar's documentation asks

VAR = Path(os.environ["OSCAR_VAR"])
SECRET_KEY = "for-a-test-host-only"  # noqa: S105
DEBUG = False
ALLOWED_HOSTS = ["*"]
SITE_ID = 1
USE_TZ = True
TIME_ZONE = "Europe/London"
LANGUAGE_CODE = "en-gb"
STATIC_URL = "static/"
ROOT_URLCONF = "oscar_host.urls"
DEFAULT_AUTO_FIELD = "django.db.models.AutoField"  # a host's own choice; ours must not lean on it
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.sqlite3",
        "NAME": VAR / "shop.sqlite3",
        "OPTIONS": {
            "timeout": 20,
            "transaction_mode": "IMMEDIATE",
            "init_command": "PRAGMA journal_mode=WAL;",
        },
    }
}
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.contrib.flatpages.middleware.FlatpageFallbackMiddleware",
    "oscar.apps.basket.middleware.BasketMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "oscar.apps.search.context_processors.search_form",
                "oscar.apps.checkout.context_processors.checkout",
                "oscar.apps.communication.notifications.context_processors.notifications",
                "oscar.core.context_processors.metadata",
            ]
        },
    }
]
AUTHENTICATION_BACKENDS = [
    "oscar.apps.customer.auth_backends.EmailBackend",
    "django.contrib.auth.backends.ModelBackend",
]
HAYSTACK_CONNECTIONS = {"default": {"ENGINE": "haystack.backends.simple_backend.SimpleEngine"}}

# What the agents add.
INSTALLED_APPS = [
    *oscar.INSTALLED_APPS,
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "crm_data",
    "crm_agents",
    "profiling",
    "recommender",
    "churn",
]
CRM_AGENTS = {
    "SOURCE": "oscar_host.crm_source.Shop",
    "ROOT": str(VAR / "agents"),
    "AGENTS": {
        "recommender": {"width": 16, "layers": 1, "epochs": 2, "pretrain_epochs": 0, "backbone": "rnn"}
    },
}
CELERY_BROKER_URL = "filesystem://"
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "data_folder_in": str(VAR / "queue"),
    "data_folder_out": str(VAR / "queue"),
    "control_folder": str(VAR / "control"),
    "polling_interval": 0.1,
}
CELERY_TASK_IGNORE_RESULT = True
