"""The site: settings from the environment, urls, the Celery app. Nobody imports it."""
