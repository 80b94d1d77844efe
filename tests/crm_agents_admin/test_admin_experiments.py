from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from crm_agents.models import Agent, Experiment, ScoringRun
from tests.crm_agents_admin.support import inline_parts, signed_in, staff, text_of

pytestmark = pytest.mark.django_db

FOUND = {
    "first": 0.2,
    "second": 0.25,
    "difference": 0.05,
    "low": 0.02,
    "high": 0.08,
    "relative": 0.25,
    "relative_low": 0.1,
    "relative_high": 0.4,
    "detectable": 0.21,
    "explained": 0.2,
    "method": "normal",
}
UNSURE = {**FOUND, "low": -0.01, "high": 0.11, "relative_low": -0.05, "relative_high": 0.55}
LOST = {**FOUND, "low": -0.08, "high": -0.02, "relative": -0.25, "relative_low": -0.4, "relative_high": -0.1}
RESULT: dict[str, Any] = {
    "version": 1,
    "over": False,
    "customers": [431, 3880],
    "left_out": 3,
    "split_chance": 0.4,
    "detectable": 0.2,
    "figures": {"bought": FOUND, "orders": FOUND, "revenue": UNSURE, "hits": FOUND},
}


@pytest.fixture(autouse=True)
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    found: list[str] = []
    monkeypatch.setattr("crm_agents.services.experiments.starting.ask", lambda task, key: found.append(key))
    return found


@pytest.fixture
def experimenter() -> Client:
    return signed_in(staff("experimenter", "view_scores", "manage_experiments"))


@pytest.fixture
def begun(agent: Agent, live: ScoringRun) -> Experiment:
    return Experiment.objects.create(
        agent=agent,
        kind="control",
        treatment="nothing",
        salt="fixed",
        horizon_days=28,
        version=live.version,
        scoring=live,
        started_at=timezone.now() - timedelta(days=5),
    )


def page(agent: Agent, name: str = "", *args: Any) -> str:
    return reverse(f"admin:crm_agents_agent_experiments{name}", args=[agent.pk, *args])


def result(experiment: Experiment, **changed: Any) -> None:
    experiment.result = {**RESULT, **changed}
    experiment.measured_at = timezone.now()
    experiment.save()


def test_the_agents_page_leads_there(viewer: Client, agent: Agent, begun: Experiment) -> None:
    found = text_of(viewer.get(reverse("admin:crm_agents_agent_change", args=[agent.pk])))
    assert page(agent) in found
    assert "Does it work?" in found


def test_without_an_experiment_nobody_knows(viewer: Client, agent: Agent) -> None:
    answer = viewer.get(page(agent))
    assert "nobody knows what this agent brings" in text_of(answer)
    assert page(agent, "_start") not in answer.content.decode()


def test_an_uplift_is_told_with_its_interval(viewer: Client, agent: Agent, begun: Experiment) -> None:
    result(begun)
    answer = viewer.get(page(agent))
    found = text_of(answer)
    assert "Shown the agent&#x27;s answers: more customers bought." in found
    assert "25.0 % (Shown the agent&#x27;s answers), 20.0 % (Control group)." in found
    assert "The difference is +25.0 %, and lies between +10.0 % and +40.0 % with 95 % confidence." in found
    assert "Whoever looks every day" in found
    assert "a difference of 21.0 % or more four times out of five" in found
    assert "Left out: 3 who opted out" in found
    assert "431 (Control group), 3,880" in found
    assert found.count("<figure") == 1
    assert "crm-note--good" in found
    assert inline_parts(answer) == []


@pytest.mark.parametrize(
    ("figure", "head", "tone"),
    [
        (UNSURE, "No difference can be told from chance.", "crm-note"),
        (LOST, "fewer customers bought.", "crm-note--bad"),
        ({**FOUND, "low": None}, "Too few customers have bought since", "crm-note"),
    ],
)
def test_nothing_is_claimed_that_chance_explains(
    viewer: Client, agent: Agent, begun: Experiment, figure: Any, head: str, tone: str
) -> None:
    result(begun, figures={"bought": figure}, over=True)
    found = text_of(viewer.get(page(agent)))
    assert head in found
    assert tone in found
    assert "crm-note--good" not in found
    assert "more customers bought." not in found
    assert "Whoever looks every day" not in found


def test_an_uneven_split_is_warned_of(viewer: Client, agent: Agent, begun: Experiment) -> None:
    result(begun, split_chance=1e-6)
    assert "Do not believe the figures." in text_of(viewer.get(page(agent)))


def test_one_is_started_on_the_page(experimenter: Client, agent: Agent, live: ScoringRun) -> None:
    form = experimenter.get(page(agent, "_start"))
    assert 'value="0.1"' in form.content.decode()
    assert 'value="90"' in form.content.decode()  # days that the agent looks ahead
    values = {"kind": "control", "share": "0.2", "treatment": "nothing", "horizon_days": "30"}
    answer = experimenter.post(page(agent, "_start"), values)
    assert answer.status_code == 302
    begun = Experiment.objects.get()
    assert (begun.share, begun.treatment, begun.horizon_days) == (0.2, "nothing", 30)
    assert begun.started_by is not None
    again = experimenter.post(page(agent, "_start"), values)
    assert "goes on already" in text_of(again)
    assert Experiment.objects.count() == 1


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"share": "0.9"}, "less than or equal to 0.5"),
        ({"kind": "ab"}, "no version in the shadow with complete scores"),
        ({"horizon_days": "0"}, "greater than or equal to 1"),
    ],
)
def test_what_cannot_be_is_said_on_the_form(
    experimenter: Client, agent: Agent, live: ScoringRun, changed: Any, message: str
) -> None:
    values = {"kind": "control", "share": "0.2", "treatment": "nothing", "horizon_days": "30", **changed}
    assert message in text_of(experimenter.post(page(agent, "_start"), values))
    assert not Experiment.objects.exists()


def test_one_is_stopped_after_a_question(experimenter: Client, agent: Agent, begun: Experiment) -> None:
    url = page(agent, "_stop", begun.pk)
    assert "It cannot be taken up again." in text_of(experimenter.get(url))
    begun.refresh_from_db()
    assert begun.is_running
    assert experimenter.post(url).status_code == 302
    begun.refresh_from_db()
    assert begun.ended_for == "stopped"
    assert "already" in text_of(experimenter.post(url, follow=True))


def test_it_is_measured_when_asked(
    experimenter: Client,
    agent: Agent,
    begun: Experiment,
    asked: list[str],
    django_capture_on_commit_callbacks: Any,
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        assert experimenter.post(page(agent, "_measure", begun.pk)).status_code == 302
    assert asked == [str(begun.pk)]
    assert experimenter.get(page(agent, "_measure", begun.pk)).status_code == 405


def test_who_may_look_may_do_nothing(viewer: Client, agent: Agent, begun: Experiment) -> None:
    for url in (page(agent, "_start"), page(agent, "_stop", begun.pk), page(agent, "_measure", begun.pk)):
        assert viewer.post(url).status_code == 403
    begun.refresh_from_db()
    assert begun.is_running


def test_a_stranger_sees_nothing(stranger: Client, agent: Agent, begun: Experiment) -> None:
    assert stranger.get(page(agent)).status_code == 403


def test_another_agents_experiment_is_not_found(
    experimenter: Client, agent: Agent, begun: Experiment
) -> None:
    other = Agent.objects.create(name="recommender")
    assert experimenter.post(page(other, "_stop", begun.pk)).status_code == 404
