"""The agents' pages, on every configured admin site."""

from crm_agents.admin.agents import AgentAdmin
from crm_agents.admin.labelling.sets import LabelSetAdmin
from crm_agents.admin.records import AuditEntryAdmin, FeedbackAdmin
from crm_agents.admin.runs import TrainingRunAdmin
from crm_agents.admin.scorings import ScoringRunAdmin
from crm_agents.admin.versions import ModelVersionAdmin
from crm_agents.models import Agent, AuditEntry, Feedback, LabelSet, ModelVersion, ScoringRun, TrainingRun
from crm_data.admin.sites import register

register(Agent, AgentAdmin)
register(TrainingRun, TrainingRunAdmin)
register(ModelVersion, ModelVersionAdmin)
register(ScoringRun, ScoringRunAdmin)
register(Feedback, FeedbackAdmin)
register(LabelSet, LabelSetAdmin)
register(AuditEntry, AuditEntryAdmin)

__all__ = [
    "AgentAdmin",
    "AuditEntryAdmin",
    "FeedbackAdmin",
    "LabelSetAdmin",
    "ModelVersionAdmin",
    "ScoringRunAdmin",
    "TrainingRunAdmin",
]
