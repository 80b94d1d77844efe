from typing import Any

import pytest

from crm_agents.models import Agent, AuditEntry, Purpose, RunStatus, Sweep, SweepStatus, TrainingRun
from crm_agents.services import waking
from crm_agents.services.agents import get_agent

pytestmark = pytest.mark.django_db

SWEEPS = "/api/v1/agents/churn/sweeps/"
SPACE = {"dropout": {"type": "float", "low": 0, "high": 0.5}}


@pytest.fixture(autouse=True)
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    asked: list[str] = []
    monkeypatch.setattr("crm_agents.services.tuning.sweeps.ask", lambda task, pk: asked.append(pk))
    monkeypatch.setattr(waking, "send", lambda rows: True)
    return asked


@pytest.fixture
def agent() -> Agent:
    return get_agent("churn")


def url_of(sweep: Sweep) -> str:
    return f"http://testserver/api/v1/sweeps/{sweep.pk}/"


def test_a_search_is_accepted_and_names_itself(manager_api: Any, agent: Agent) -> None:
    body = {"space": SPACE, "trials": 7, "config": {"epochs": 2}, "pruner": "hyperband", "minutes": 30}
    answer = manager_api.post(SWEEPS, body, format="json")

    assert answer.status_code == 202
    sweep = Sweep.objects.get()
    assert answer.headers["Location"] == url_of(sweep)
    expected = {
        "agent": "churn",
        "method": "search",
        "status": "running",
        "metric": "roc_auc",
        "space": SPACE,
        "config": {"epochs": 2},
        "planned": 7,
        "pruner": "hyperband",
        "minutes": 30,
        "best": None,
        "trials": [],
        "url": url_of(sweep),
    }
    assert {name: answer.json()[name] for name in expected} == expected
    assert AuditEntry.objects.get().action == "sweep.started"


def test_a_comparison_needs_no_space(manager_api: Any, agent: Agent) -> None:
    answer = manager_api.post(SWEEPS, {"method": "comparison"}, format="json")

    assert answer.json()["planned"] == 4
    assert answer.json()["space"]["backbone"]["values"] == ["mf", "cnn", "rnn", "transformer"]


@pytest.mark.parametrize(
    ("body", "field", "words"),
    [
        ({"space": {"gpu": {}}}, "space", "space names gpu, which cannot be searched"),
        ({"space": SPACE, "config": {"epohcs": 1}}, "config", "Unknown setting epohcs"),
        ({"space": SPACE, "trials": 0}, "trials", "greater than or equal to 1"),
        ({"space": SPACE, "pruner": "axe"}, "pruner", "axe"),
        ({"space": SPACE, "method": "comparison"}, "space", "a comparison needs a list of values"),
        ({"spcae": SPACE}, "spcae", "Not known here."),
    ],
)
def test_what_cannot_be_is_refused_at_its_member(
    manager_api: Any, agent: Agent, body: dict[str, Any], field: str, words: str
) -> None:
    answer = manager_api.post(SWEEPS, body, format="json")

    assert answer.status_code == 400
    [error] = answer.json()["errors"]
    assert error["field"] == field
    assert words in error["message"]
    assert Sweep.objects.count() == 0


def test_the_detail_shows_trials_and_the_best(manager_api: Any, agent: Agent) -> None:
    sweep = Sweep.objects.create(agent=agent, kind="search", space=SPACE, metric="roc_auc", planned=2)
    for number, value in enumerate((0.7, 0.8)):
        TrainingRun.objects.create(
            agent=agent,
            purpose=Purpose.TRIAL,
            sweep=sweep,
            trial=number,
            config={"dropout": number / 10, "epochs": 2},
            status=RunStatus.SUCCEEDED,
            value=value,
            reached=[[1, value]],
        )
    answer = manager_api.get(url_of(sweep)).json()

    assert answer["best"] == 1
    assert [trial["parameters"] for trial in answer["trials"]] == [{"dropout": 0.0}, {"dropout": 0.1}]
    assert answer["trials"][1]["reached"] == [[1.0, 0.8]]
    run = manager_api.get(answer["trials"][1]["run"]).json()
    assert (run["purpose"], run["config"]) == ("trial", {"dropout": 0.1, "epochs": 2})
    listed = manager_api.get(SWEEPS).json()["results"]
    assert [entry["id"] for entry in listed] == [str(sweep.pk)]
    assert "trials" not in listed[0]
    assert manager_api.get("/api/v1/agents/churn/runs/").json()["results"] == []
    trials = manager_api.get("/api/v1/agents/churn/runs/?purpose=trial").json()["results"]
    assert len(trials) == 2


def test_stop_and_resume(manager_api: Any, agent: Agent) -> None:
    manager_api.post(SWEEPS, {"method": "comparison"}, format="json")
    sweep = Sweep.objects.get()
    assert manager_api.post(f"{url_of(sweep)}resume/").status_code == 409
    stopped = manager_api.post(f"{url_of(sweep)}stop/")
    assert (stopped.status_code, stopped.json()["status"]) == (202, "stopped")
    assert manager_api.post(f"{url_of(sweep)}stop/").json()["type"].endswith("sweep-not-running")
    assert manager_api.post(f"{url_of(sweep)}resume/").json()["status"] == "running"


def test_a_second_sweep_is_a_conflict_that_names_the_first(manager_api: Any, agent: Agent) -> None:
    manager_api.post(SWEEPS, {"method": "comparison"}, format="json")
    answer = manager_api.post(SWEEPS, {"method": "comparison"}, format="json")

    assert (answer.status_code, answer.json()["sweep"]) == (409, url_of(Sweep.objects.get()))


def test_the_same_key_starts_one_sweep(manager_api: Any, agent: Agent) -> None:
    answers = [
        manager_api.post(SWEEPS, {"method": "comparison"}, format="json", headers={"Idempotency-Key": "k"})
        for _ in range(2)
    ]

    assert [answer.status_code for answer in answers] == [202, 202]
    assert answers[0].json()["id"] == answers[1].json()["id"]
    assert Sweep.objects.count() == 1


def test_who_may_not_manage_runs_may_not_sweep(api: Any, agent: Agent) -> None:
    sweep = Sweep.objects.create(agent=agent, kind="search", space=SPACE, metric="roc_auc", planned=2)
    assert api.post(SWEEPS, {"method": "comparison"}, format="json").status_code == 403
    assert api.get(url_of(sweep)).status_code == 403
    assert api.post(f"{url_of(sweep)}stop/").status_code == 403
    assert api.post("/api/v1/agents/churn/range-test/", {}, format="json").status_code == 403
    sweep.refresh_from_db()
    assert (Sweep.objects.count(), sweep.status) == (1, SweepStatus.RUNNING)


def test_an_unknown_sweep_is_not_found(manager_api: Any, agent: Agent) -> None:
    assert manager_api.get("/api/v1/sweeps/nonsense/").status_code == 404
    other = Agent.objects.create(name="churn", tenant="north")
    sweep = Sweep.objects.create(agent=other, kind="search", space=SPACE, metric="roc_auc", planned=2)
    assert manager_api.get(url_of(sweep)).status_code == 404


def test_a_range_test_is_a_run_beside_a_training(manager_api: Any, agent: Agent) -> None:
    manager_api.post("/api/v1/agents/churn/runs/", {}, format="json")
    answer = manager_api.post("/api/v1/agents/churn/range-test/", {"config": {"width": 32}}, format="json")

    assert (answer.status_code, answer.json()["purpose"]) == (202, "range_test")
    run = TrainingRun.objects.get(purpose=Purpose.RANGE_TEST)
    assert run.config == {"width": 32}
    again = manager_api.post("/api/v1/agents/churn/range-test/", {}, format="json")
    assert (again.status_code, again.json()["run"]) == (409, answer.json()["url"])
    active = manager_api.get("/api/v1/agents/churn/").json()["active_runs"]
    assert len(active) == 1
    assert answer.json()["url"] not in active
