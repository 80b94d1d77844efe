from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class ChurnConfig(AppConfig):
    name = "churn"
    label = "crm_agents_churn"
    verbose_name = _("Churn")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from churn.agent import Churn
        from crm_agents.recipes import register

        register(Churn())
