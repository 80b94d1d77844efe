"""The tables of an agent's life. The row is the truth; a Celery message only wakes a worker up."""

from crm_agents.models.agent import Agent, ModelVersion
from crm_agents.models.audit import AuditEntry
from crm_agents.models.feedback import Feedback
from crm_agents.models.idempotency import IdempotentRequest
from crm_agents.models.lease import ACTIVE_STATES, Leased, RunStatus
from crm_agents.models.run import TrainingRun
from crm_agents.models.scoring import ScoreRow, ScoringRun, ScoringShard

__all__ = [
    "ACTIVE_STATES",
    "Agent",
    "AuditEntry",
    "Feedback",
    "IdempotentRequest",
    "Leased",
    "ModelVersion",
    "RunStatus",
    "ScoreRow",
    "ScoringRun",
    "ScoringShard",
    "TrainingRun",
]
