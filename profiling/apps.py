from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class ProfilingConfig(AppConfig):
    name = "profiling"
    label = "crm_agents_profiling"
    verbose_name = _("Profiling")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from crm_agents.recipes import register_provider
        from profiling.panel import Profile

        register_provider(Profile())
