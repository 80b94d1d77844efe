"""The tables of an agent's life. The row is the truth; a Celery message only wakes a worker up."""

from crm_agents.models.agent import Agent, ModelVersion
from crm_agents.models.alert import Alert, AlertKind
from crm_agents.models.audit import AuditEntry
from crm_agents.models.feedback import Feedback
from crm_agents.models.idempotency import IdempotentRequest
from crm_agents.models.labelling import Annotation, AnnotationKind, ItemStatus, LabelItem, LabelSet, Subject
from crm_agents.models.lease import ACTIVE_STATES, Leased, RunStatus
from crm_agents.models.run import Purpose, TrainingRun
from crm_agents.models.scoring import Kept, ScoreRow, ScoringRun, ScoringShard
from crm_agents.models.sweep import Sweep, SweepKind, SweepStatus

__all__ = [
    "ACTIVE_STATES",
    "Agent",
    "Alert",
    "AlertKind",
    "Annotation",
    "AnnotationKind",
    "AuditEntry",
    "Feedback",
    "IdempotentRequest",
    "ItemStatus",
    "Kept",
    "LabelItem",
    "LabelSet",
    "Leased",
    "ModelVersion",
    "Purpose",
    "RunStatus",
    "ScoreRow",
    "ScoringRun",
    "ScoringShard",
    "Subject",
    "Sweep",
    "SweepKind",
    "SweepStatus",
    "TrainingRun",
]
