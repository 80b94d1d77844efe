from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from crm_agents.models import Agent, Alert, AlertKind, ModelVersion
from crm_agents.services.execution import execute_run
from crm_agents.services.runs import start_run
from tests.crm_agents.watching.support import Stub, go_live

pytestmark = pytest.mark.django_db(transaction=True)


def agent_command(*arguments: str) -> str:
    out = StringIO()
    call_command("agent", *arguments, stdout=out)
    return out.getvalue()


@pytest.fixture
def live(agent: Agent, shop: None, woken: list[str], stub: Stub) -> Agent:
    go_live(agent)
    execute_run(start_run(agent, publish=False).pk)
    return agent


def test_a_shadow_is_begun_and_ended(live: Agent) -> None:
    assert "recommender v2 is scored in the shadow from now on" in agent_command("shadow", "recommender", "2")
    live.refresh_from_db()
    assert live.shadow_version == ModelVersion.objects.get(number=2)
    assert agent_command("shadow", "recommender", "--end") == "The shadow was ended.\n"
    with pytest.raises(CommandError, match="has no version in the shadow"):
        agent_command("shadow", "recommender", "--end")
    with pytest.raises(CommandError, match="v1 is live; only another version can be its shadow"):
        agent_command("shadow", "recommender", "1")
    with pytest.raises(CommandError, match="Give either the number of a version or --end"):
        agent_command("shadow", "recommender")
    with pytest.raises(CommandError, match="recommender has no version 9"):
        agent_command("shadow", "recommender", "9")


def test_alerts_are_listed_and_closed(live: Agent) -> None:
    alert = Alert.objects.create(agent=live, kind=AlertKind.STALE)
    assert agent_command("alerts").endswith("\tthe scores are old\n")
    assert agent_command("alerts", "--close", str(alert.pk)) == f"Alert {alert.pk} is closed.\n"
    assert agent_command("alerts") == ""
    with pytest.raises(CommandError, match="This alert is closed already"):
        agent_command("alerts", "--close", str(alert.pk))
    with pytest.raises(CommandError, match="There is no alert 999999"):
        agent_command("alerts", "--close", "999999")


def test_a_round_may_be_made_by_hand(live: Agent) -> None:
    Alert.objects.create(agent=live, kind=AlertKind.STALE)
    assert agent_command("watch") == ""
    assert Alert.objects.get().closed_at is not None  # the scores are of just now
