"""The verbs of `manage.py agent`, one module each."""
