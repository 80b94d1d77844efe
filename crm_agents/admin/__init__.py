"""The agents' pages, on every configured admin site."""

from crm_agents.admin.agents import AgentAdmin
from crm_agents.admin.labelling.sets import LabelSetAdmin
from crm_agents.admin.records import AuditEntryAdmin, FeedbackAdmin
from crm_agents.admin.runs import TrainingRunAdmin
from crm_agents.admin.scorings import ScoringRunAdmin
from crm_agents.admin.sweeps import SweepAdmin
from crm_agents.admin.versions import ModelVersionAdmin
from crm_agents.admin.watching.alerts import AlertAdmin
from crm_agents.models import (
    Agent,
    Alert,
    AuditEntry,
    Feedback,
    LabelSet,
    ModelVersion,
    ScoringRun,
    Sweep,
    TrainingRun,
)
from crm_data.admin.sites import register

register(Agent, AgentAdmin)
register(TrainingRun, TrainingRunAdmin)
register(ModelVersion, ModelVersionAdmin)
register(ScoringRun, ScoringRunAdmin)
register(Sweep, SweepAdmin)
register(Feedback, FeedbackAdmin)
register(LabelSet, LabelSetAdmin)
register(Alert, AlertAdmin)
register(AuditEntry, AuditEntryAdmin)

__all__ = [
    "AgentAdmin",
    "AlertAdmin",
    "AuditEntryAdmin",
    "FeedbackAdmin",
    "LabelSetAdmin",
    "ModelVersionAdmin",
    "ScoringRunAdmin",
    "SweepAdmin",
    "TrainingRunAdmin",
]
