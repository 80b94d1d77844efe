from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class CrmDataConfig(AppConfig):
    name = "crm_data"
    label = "crm_data"
    verbose_name = _("CRM data")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from crm_data import checks  # noqa: F401  registers the system checks of the Source
