from typing import Any

import pytest

from crm_agents.models import Agent, AuditEntry, Experiment
from crm_agents.services.experiments.measuring import measure_experiment

LIST = "/api/v1/agents/recommender/experiments/"
ONE = "/api/v1/experiments/"


@pytest.fixture(autouse=True)
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    found: list[str] = []
    monkeypatch.setattr("crm_agents.services.experiments.starting.ask", lambda task, key: found.append(key))
    return found


@pytest.fixture
def begun(manager_api: Any, live_recommender: Agent) -> Experiment:
    assert manager_api.post(LIST, {"share": 0.2}, format="json").status_code == 201
    return Experiment.objects.get()


def test_an_experiment_is_started_read_and_stopped(manager_api: Any, live_recommender: Agent) -> None:
    body = {"kind": "control", "share": 0.2, "treatment": "nothing", "horizon_days": 14}
    answer = manager_api.post(LIST, body, format="json")
    assert answer.status_code == 201
    started = answer.json()
    assert {name: started[name] for name in body} == body
    assert (started["agent"], started["version"], started["rival"]) == ("recommender", 1, None)
    assert (started["started_by"], started["customers"], started["result"]) == ("manager", None, {})
    assert started["text"] == "It has not been measured yet; a worker does so within minutes."

    assert manager_api.get(LIST).json()["results"] == [started]
    assert manager_api.get(f"{ONE}{started['id']}/").json() == started
    stopped = manager_api.post(f"{ONE}{started['id']}/stop/")
    assert (stopped.status_code, stopped.json()["ended_for"]) == (200, "stopped")
    again = manager_api.post(f"{ONE}{started['id']}/stop/")
    assert (again.status_code, again.json()["type"]) == (409, "urn:problem:crm-agents:experiment-ended")


def test_what_is_left_out_has_its_default(begun: Experiment) -> None:
    assert (begun.kind, begun.treatment, begun.horizon_days) == ("control", "popularity", 28)


def test_the_result_comes_with_what_it_says(manager_api: Any, begun: Experiment) -> None:
    measure_experiment(begun.pk)
    answer = manager_api.get(f"{ONE}{begun.pk}/").json()
    assert answer["text"] == "Too few customers have bought since to tell the two apart."
    assert answer["cautions"][0].startswith("It goes on until")
    assert sum(answer["result"]["customers"]) == answer["customers"] == 2
    assert answer["result"]["figures"]["bought"]["low"] is None


def test_one_that_goes_on_is_measured_when_asked(
    manager_api: Any, begun: Experiment, asked: list[str], django_capture_on_commit_callbacks: Any
) -> None:
    with django_capture_on_commit_callbacks(execute=True):
        answer = manager_api.post(f"{ONE}{begun.pk}/measure/")
    assert (answer.status_code, asked) == (202, [str(begun.pk)])


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"share": 0.6}, "share"),
        ({"share": 0}, "share"),
        ({"kind": "placebo"}, "kind"),
        ({"treatment": "tea"}, "treatment"),
        ({"kind": "ab", "treatment": "nothing"}, "treatment"),
        ({"horizon_days": 0}, "horizon_days"),
        ({"days": 7}, "days"),
    ],
)
def test_bad_values_are_named(manager_api: Any, live_recommender: Agent, body: Any, field: str) -> None:
    answer = manager_api.post(LIST, body, format="json")
    assert answer.status_code == 400
    assert [error["field"] for error in answer.json()["errors"]] == [field]
    assert not Experiment.objects.exists()


def test_a_second_one_names_the_first(manager_api: Any, begun: Experiment) -> None:
    answer = manager_api.post(LIST, {}, format="json")
    assert answer.status_code == 409
    assert (answer.json()["type"], answer.json()["experiment"]) == (
        "urn:problem:crm-agents:experiment-running",
        begun.pk,
    )


@pytest.mark.parametrize(
    ("name", "kind"), [("churn", "control"), ("recommender", "ab")]
)  # nothing live; no shadow
def test_there_must_be_something_to_try(
    manager_api: Any, live_recommender: Agent, name: str, kind: str
) -> None:
    answer = manager_api.post(f"/api/v1/agents/{name}/experiments/", {"kind": kind}, format="json")
    assert (answer.status_code, answer.json()["type"]) == (409, "urn:problem:crm-agents:cannot-experiment")
    assert not AuditEntry.objects.filter(action="experiment.started").exists()


def test_who_may_look_may_not_begin(api: Any, begun: Experiment) -> None:
    assert api.get(LIST).status_code == 200
    assert api.post(LIST, {}, format="json").status_code == 403
    assert api.post(f"{ONE}{begun.pk}/stop/").status_code == 403
    assert api.post(f"{ONE}{begun.pk}/measure/").status_code == 403


@pytest.mark.parametrize("key", ["0", "-1", "x", "9" * 19, "9" * 64, "１"])
def test_no_such_experiment_is_404(manager_api: Any, begun: Experiment, key: str) -> None:
    assert manager_api.get(f"{ONE}{key}/").status_code == 404
    assert manager_api.post(f"{ONE}{key}/stop/").status_code == 404
