"""The site's settings, all from the environment; without any, the embedded default for one machine."""

from pathlib import Path
from typing import Any

import environ
from csp.constants import NONE, SELF
from django.core.exceptions import ImproperlyConfigured
from django.utils.translation import gettext_lazy as _

from crm_agents.api.description import DESCRIPTION
from crm_agents.queues import SWEEP_SECONDS, TASK_ROUTES, WATCH_SECONDS, beat_schedule
from crm_site.filesystem_broker import transport_options

BASE_DIR = Path(__file__).resolve().parent.parent
env = environ.Env()

VAR = Path(env.str("CRM_VAR", default=str(BASE_DIR / "var")))
VAR.mkdir(parents=True, exist_ok=True)

DEBUG = env.bool("DEBUG", default=False)
ONE_MACHINE_KEY = "for-one-machine-only-set-SECRET_KEY-before-others-can-reach-it"
SECRET_KEY = env.str("SECRET_KEY", default=ONE_MACHINE_KEY)
ONE_MACHINE = ["localhost", "127.0.0.1", "[::1]"]
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=ONE_MACHINE)
if SECRET_KEY == ONE_MACHINE_KEY and not set(ALLOWED_HOSTS) <= set(ONE_MACHINE):
    # The key is public, and whoever knows it can sign a session of anybody.
    raise ImproperlyConfigured(
        f"ALLOWED_HOSTS is {', '.join(ALLOWED_HOSTS)} and SECRET_KEY is not set; "
        "give it 50 random characters."
    )
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])

if env.bool("HTTPS", default=False):
    if SECRET_KEY == ONE_MACHINE_KEY:
        raise ImproperlyConfigured("HTTPS is on and SECRET_KEY is not set; give it 50 random characters.")
    SECURE_SSL_REDIRECT = True
    SECURE_HSTS_SECONDS = env.int("HSTS_SECONDS", default=31_536_000)
    SESSION_COOKIE_SECURE = True
    CSRF_COOKIE_SECURE = True
    if env.bool("BEHIND_PROXY", default=False):
        SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
# Subdomains and the browsers' preload list are the domain's business, not this site's.
SILENCED_SYSTEM_CHECKS = ["security.W005", "security.W021"]

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "rest_framework",
    "rest_framework.authtoken",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_celery_beat",
    "csp",
    "crm_data",
    "crm_agents",
    "profiling",
    "recommender",
    "churn",
    "crm_demo",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

ROOT_URLCONF = "crm_site.urls"
WSGI_APPLICATION = "crm_site.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

DATABASES: dict[str, Any] = {"default": env.db_url("DATABASE_URL", default=f"sqlite:///{VAR / 'db.sqlite3'}")}
DATABASES["default"]["ATOMIC_REQUESTS"] = False
if DATABASES["default"]["ENGINE"].endswith("sqlite3"):
    # One writer at a time and patience: deferred transactions fail at their first write instead of waiting.
    DATABASES["default"]["OPTIONS"] = {
        "timeout": 20,
        "transaction_mode": "IMMEDIATE",
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;",
    }
    DATABASES["default"]["TEST"] = {"NAME": str(VAR / "test.sqlite3")}
else:
    DATABASES["default"]["CONN_HEALTH_CHECKS"] = True

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
LOGIN_URL = "admin:login"

LANGUAGE_CODE = "en"
LOCALE_PATHS = [BASE_DIR / room / "locale" for room in ("templates", "crm_site")]  # each app carries its own
LANGUAGES = [("en", _("English")), ("zh-hans", _("Simplified Chinese"))]
TIME_ZONE = env.str("TIME_ZONE", default="UTC")
USE_TZ = True

STATIC_URL = "static/"
STATIC_ROOT = VAR / "static"

# Everything a page needs comes from this site; no inline script, no CDN.
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "img-src": [SELF, "data:"],
        "frame-ancestors": [NONE],
        "base-uri": [SELF],
        "form-action": [SELF],
    },
}

CRM_AGENTS: dict[str, Any] = {
    "SOURCE": env.str("CRM_SOURCE", default="crm_data.builtin.BuiltInSource"),
    "ROOT": env.str("CRM_ROOT", default=str(VAR / "agents")),
    "LEASE_SECONDS": env.int("CRM_LEASE_SECONDS", default=30),
    "NEURAL_COMMAND": env.list("CRM_NEURAL_COMMAND", default=[]),
    "THREADS": env.int("CRM_THREADS", default=1),
    "FRESH_AGENTS": env.list("CRM_FRESH_AGENTS", default=["recommender"]),
    "WARM_MEMORY_MB": env.int("CRM_WARM_MEMORY_MB", default=4096),
    "ERASURE_KEY": env.str("CRM_ERASURE_KEY", default=""),
    "ALERT_EMAILS": env.list("CRM_ALERT_EMAILS", default=[]),
}

# Mail about alerts goes to the log, unless EMAIL_URL names a server: smtp+tls://user:password@host:587
vars().update(env.email_url("EMAIL_URL", default="consolemail://"))
DEFAULT_FROM_EMAIL = env.str("DEFAULT_FROM_EMAIL", default="crm-agents@localhost")

REST_FRAMEWORK: dict[str, Any] = {
    # The first one names the challenge of a 401 answer.
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "rest_framework.authentication.TokenAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "DEFAULT_THROTTLE_RATES": {
        "crm_agents.read": env.str("API_READ_RATE", default="1200/min"),
        "crm_agents.write": env.str("API_WRITE_RATE", default="120/min"),
        "crm_agents.runs": env.str("API_RUNS_RATE", default="30/min"),
    },
}
SPECTACULAR_SETTINGS = DESCRIPTION

CELERY_BROKER_URL = env.str("CELERY_BROKER_URL", default="") or "folder://localhost/"
CELERY_BROKER_TRANSPORT_OPTIONS: dict[str, Any] = {}
if CELERY_BROKER_URL.startswith("folder:"):
    CELERY_BROKER_TRANSPORT_OPTIONS = transport_options(VAR / "broker")
elif CELERY_BROKER_URL.startswith("amqp"):
    CELERY_BROKER_TRANSPORT_OPTIONS = {"confirm_publish": True}
    CELERY_TASK_DEFAULT_QUEUE_TYPE = CELERY_TASK_CREATE_MISSING_QUEUE_TYPE = "quorum"
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_SERIALIZER = "json"
CELERY_TASK_IGNORE_RESULT = True  # the rows are the truth
# Acknowledged before the work begins: brokers deliver a long job again when its late acknowledgement
# takes too long. What a dying worker drops, the sweeper finds by its lease and wakes again.
CELERY_TASK_ACKS_LATE = False
CELERY_WORKER_PREFETCH_MULTIPLIER = 1  # a long job must not hold back messages others could take
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = False
CELERY_TIMEZONE = TIME_ZONE
CELERY_TASK_DEFAULT_QUEUE = "default"
CELERY_TASK_ROUTES = TASK_ROUTES
CELERY_BEAT_SCHEDULER = "django_celery_beat.schedulers:DatabaseScheduler"
# Entries that the beat process keeps in its tables; more are added in the admin.
CELERY_BEAT_SCHEDULE = beat_schedule(
    env.float("CRM_SWEEP_SECONDS", default=SWEEP_SECONDS),
    env.float("CRM_WATCH_SECONDS", default=WATCH_SECONDS),
)

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"console": {"class": "logging.StreamHandler"}},
    "root": {"handlers": ["console"], "level": env.str("LOG_LEVEL", default="INFO")},
}
