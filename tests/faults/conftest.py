import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from crm_agents.models import Agent
from crm_agents.services.agents import get_agent
from tests.shop import open_shop
from tests.worker import empty_queues

Stub = Callable[..., None]


@pytest.fixture
def agent(transactional_db: None) -> Iterator[Agent]:
    """The recommender of a small shop, with nothing in the queues."""
    empty_queues()
    open_shop()
    yield get_agent("recommender")
    empty_queues()


@pytest.fixture
def stub(settings: Any, monkeypatch: pytest.MonkeyPatch) -> Stub:
    """Let a stub stand in for `python -m neural` in workers; its options: `tests.stub_neural`."""
    script = Path(__file__).parent.parent / "stub_neural.py"
    settings.CRM_AGENTS = {**settings.CRM_AGENTS, "NEURAL_COMMAND": [sys.executable, str(script)]}

    def options(**values: Any) -> None:
        monkeypatch.setenv("CRM_STUB", json.dumps(values))

    options()
    return options
