"""The tables of an agent's life. The row is the truth; a Celery message only wakes a worker up."""

from crm_agents.models.agent import Agent, ModelVersion
from crm_agents.models.alert import Alert, AlertKind
from crm_agents.models.audit import AuditEntry
from crm_agents.models.experiment import EndedFor, Experiment, ExperimentKind, Treatment
from crm_agents.models.feedback import Feedback
from crm_agents.models.fresh import FreshScore, News
from crm_agents.models.idempotency import IdempotentRequest
from crm_agents.models.labelling import Annotation, AnnotationKind, ItemStatus, LabelItem, LabelSet, Subject
from crm_agents.models.lease import ACTIVE_STATES, Leased, RunStatus
from crm_agents.models.run import Purpose, TrainingRun
from crm_agents.models.scoring import Kept, ScoreRow, ScoringRun, ScoringShard, SideRow
from crm_agents.models.sweep import Sweep, SweepKind, SweepStatus

__all__ = [
    "ACTIVE_STATES",
    "Agent",
    "Alert",
    "AlertKind",
    "Annotation",
    "AnnotationKind",
    "AuditEntry",
    "EndedFor",
    "Experiment",
    "ExperimentKind",
    "Feedback",
    "FreshScore",
    "IdempotentRequest",
    "ItemStatus",
    "Kept",
    "LabelItem",
    "LabelSet",
    "Leased",
    "ModelVersion",
    "News",
    "Purpose",
    "RunStatus",
    "ScoreRow",
    "ScoringRun",
    "ScoringShard",
    "SideRow",
    "Subject",
    "Sweep",
    "SweepKind",
    "SweepStatus",
    "TrainingRun",
    "Treatment",
]
