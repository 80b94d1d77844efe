from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class CrmAgentsConfig(AppConfig):
    name = "crm_agents"
    label = "crm_agents"
    verbose_name = _("Agents")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from crm_agents import checks  # noqa: F401  registers the system checks of the agents' settings
        from crm_agents.requirements import agent_requirements
        from crm_agents.services.freshness import follow_source, refresh
        from crm_agents.services.labelling.training import training_labels
        from crm_data import labels, news, readiness
        from crm_data.conf import setting

        readiness.register(agent_requirements)
        labels.register(training_labels)
        news.register(refresh)
        if setting("FOLLOW_SOURCE"):
            follow_source()
