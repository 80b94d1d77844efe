from typing import Any

from crm_agents.models import Agent


def test_every_registered_agent_is_listed(api: Any, live_churn: Any, queued_run: Any) -> None:
    answer = api.get("/api/v1/agents/")
    assert answer.status_code == 200
    churn, recommender = answer.json()
    version = live_churn.live_version
    assert churn == {
        "name": "churn",
        "title": "Churn warning",
        "description": "Finds customers who are about to stop buying, "
        "while there is still time to call them.",
        "config": {},
        "live": {
            "version": 1,
            "version_url": f"http://testserver/api/v1/versions/{version.pk}/",
            "as_of": "2011-12-09T12:50:00Z",
            "published_at": live_churn.live_scoring.published_at.isoformat().replace("+00:00", "Z"),
            "customers": 3,
        },
        "active_runs": [f"http://testserver/api/v1/runs/{queued_run.pk}/"],
        "url": "http://testserver/api/v1/agents/churn/",
    }
    assert (recommender["name"], recommender["live"], recommender["active_runs"]) == ("recommender", None, [])


def test_one_agent_reads_as_in_the_list(api: Any, live_churn: Any) -> None:
    assert api.get("/api/v1/agents/churn/").json() == api.get("/api/v1/agents/").json()[0]


def test_an_unknown_agent_is_404_and_is_not_made(api: Any) -> None:
    answer = api.get("/api/v1/agents/demand/")
    assert answer.status_code == 404
    assert answer.json()["detail"] == "No agent is named 'demand'. Registered: churn, recommender."
    assert not Agent.objects.exists()


def test_an_agent_whose_app_is_gone_is_not_listed(api: Any) -> None:
    Agent.objects.create(name="forgotten")
    assert [agent["name"] for agent in api.get("/api/v1/agents/").json()] == ["churn", "recommender"]


def test_without_the_permission_no_agent_is_seen(api: Any, rep: Any) -> None:
    rep.groups.clear()
    assert api.get("/api/v1/agents/").status_code == 403
    assert api.get("/api/v1/agents/churn/").status_code == 403
