from collections.abc import Callable, Iterator

import pytest

from crm_agents.models import Agent, RunStatus, Sweep, TrainingRun
from crm_agents.services.agents import get_agent
from crm_agents.services.execution import execute_run
from crm_agents.services.tuning import sweeps
from crm_agents.services.tuning.advancing import advance

RATES = {"learning_rate": {"type": "float", "low": 1e-4, "high": 0.1, "log": True}}


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Collect the sweeps that a worker would be asked to look after, instead of asking one."""
    asked: list[str] = []
    monkeypatch.setattr(sweeps, "ask", lambda task, pk: asked.append(f"{task} {pk}"))
    return asked


@pytest.fixture
def churn(transactional_db: None) -> Agent:
    return get_agent("churn")


def work(sweep: Sweep, most: int = 100) -> Iterator[TrainingRun]:
    """Do the queued trials one after the other, as a single worker would; yield each one's row."""
    advance(sweep.pk)
    for _ in range(most):
        trial = sweep.trials.filter(status=RunStatus.QUEUED).order_by("trial").first()
        if trial is None:
            return
        execute_run(trial.pk)
        trial.refresh_from_db()
        yield trial


Stub = Callable[..., None]
