"""Which arm of an experiment a customer is in: a hash says so, the same on every machine and in SQL.

The first 13 digits of sha256(salt, tenant, customer) are a number drawn evenly from 0 to 1; whoever lies
below the experiment's share is in its second arm: the control group, or version B. Two salts draw
independently of each other, so experiments do not disturb one another.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.db.models import CharField, F, Q, QuerySet, Value
from django.db.models.functions import SHA256, Concat
from django.db.models.lookups import LessThan

from crm_agents.models import Agent, Experiment, ExperimentKind

DIGITS = 13  # 52 bits: as many as a float holds
STEPS: int = 16**DIGITS


@dataclass(frozen=True)
class Running:
    """The experiments of an agent that go on, at most one of each kind."""

    control: Experiment | None
    ab: Experiment | None


def running(agent: Agent) -> Running:
    """Return what goes on now. Two versions count only while they are the live one and the shadow."""
    found = {each.kind: each for each in _going_on(agent)}
    ab = found.get(ExperimentKind.AB)
    return Running(found.get(ExperimentKind.CONTROL), ab if ab and still_holds(ab, agent) else None)


def _going_on(agent: Agent) -> QuerySet[Experiment]:
    return Experiment.objects.filter(agent=agent, ended_at=None).select_related("agent")


def still_holds(experiment: Experiment, agent: Agent) -> bool:
    """Whether the versions of an experiment are still those that the agent works with."""
    if experiment.kind != ExperimentKind.AB:
        return True
    return experiment.rival_id is not None and (experiment.version_id, experiment.rival_id) == (
        agent.live_version_id,
        agent.shadow_version_id,
    )


def draw(salt: str, tenant: str, customer_id: str) -> float:
    """Return the customer's number, evenly spread over [0, 1)."""
    return _steps(salt, tenant, customer_id) / STEPS


def in_second_arm(experiment: Experiment, customer_id: str) -> bool:
    """Whether the customer is in the control group, or is shown version B."""
    return _steps(experiment.salt, experiment.agent.tenant, customer_id) < _limit(experiment)


def second_arm(experiment: Experiment, customers: Iterable[str]) -> list[bool]:
    """Tell the same of many customers."""
    salt, tenant, limit = experiment.salt, experiment.agent.tenant, _limit(experiment)
    return [_steps(salt, tenant, customer) < limit for customer in customers]


def second_arm_rows(experiment: Experiment) -> Q:
    """Return the condition by which the database finds the score rows of the second arm."""
    key = Concat(
        Value(_prefix(experiment.salt, experiment.agent.tenant)),
        F("customer_id"),
        output_field=CharField(),
    )
    # Digits of equal length sort as the numbers do, in every collation: figures before letters.
    limit = Value(f"{_limit(experiment):0{DIGITS}x}")
    return Q(LessThan(_Digest(key, output_field=CharField()), limit))


class _Digest(SHA256):
    """SHA256 by PostgreSQL's own function; Django's asks for an extension there."""

    def as_postgresql(self, compiler: Any, connection: Any, **extra: Any) -> Any:
        template = "ENCODE(SHA256(CONVERT_TO(%(expressions)s, 'UTF8')), 'hex')"
        return self.as_sql(compiler, connection, template=template, **extra)


def _limit(experiment: Experiment) -> int:
    return round(experiment.share * STEPS)


def _prefix(salt: str, tenant: str) -> str:
    return f"{salt}\n{tenant}\n"


def _steps(salt: str, tenant: str, customer_id: str) -> int:
    text = _prefix(salt, tenant) + customer_id
    digits: str = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:DIGITS]
    return int(digits, 16)
