from django.apps import AppConfig


class CrmDemoConfig(AppConfig):
    name = "crm_demo"
    label = "crm_demo"
    default_auto_field = "django.db.models.BigAutoField"
