import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from crm_agents.models import Agent, Leased
from crm_agents.services import waking
from crm_agents.services.agents import get_agent
from tests.shop import open_shop

StubOptions = Callable[..., None]


@pytest.fixture
def woken(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Collect the ids of rows for which a message would be sent, instead of sending it."""
    ids: list[str] = []

    def publish(connection: object, rows: list[Leased]) -> None:
        ids.extend(str(row.pk) for row in rows)
        for row in rows:
            type(row)._default_manager.filter(pk=row.pk).update(woken_at=timezone.now(), notice="")

    monkeypatch.setattr(waking, "_publish", publish)
    return ids


@pytest.fixture
def stub(settings: Any, monkeypatch: pytest.MonkeyPatch) -> StubOptions:
    """Let a stub stand in for `python -m neural`; call it with the options that `tests.stub_neural` names."""
    script = Path(__file__).parent.parent / "stub_neural.py"
    settings.CRM_AGENTS = {**settings.CRM_AGENTS, "NEURAL_COMMAND": [sys.executable, str(script)]}

    def options(**values: Any) -> None:
        monkeypatch.setenv("CRM_STUB", json.dumps(values))

    options()
    return options


@pytest.fixture
def agent(transactional_db: None) -> Agent:
    return get_agent("recommender")


@pytest.fixture
def shop(transactional_db: None) -> None:
    open_shop()
