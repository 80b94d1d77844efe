"""Versions side by side and model cards at the API."""

from typing import Any

import pytest
from pytest_django.fixtures import DjangoAssertNumQueries

from crm_agents.models import Agent, ModelVersion
from tests.crm_agents_admin.compared import churn_examples, keep_examples
from tests.crm_agents_admin.support import EVALUATION

COMPARE = "/api/v1/versions/compare/"


@pytest.fixture
def both(make_version: Any) -> list[ModelVersion]:
    """Two versions of one agent, tested on the same customers; the second is better."""
    agent = Agent.objects.create(name="churn")
    first, second = (make_version(agent, number, evaluation=EVALUATION) for number in (1, 2))
    return [
        keep_examples(first, churn_examples(told=0.2)),
        keep_examples(second, churn_examples(told=0.6)),
    ]


def ids(versions: list[ModelVersion]) -> str:
    return ",".join(str(version.pk) for version in versions)


def test_differences_come_with_their_intervals(api: Any, both: list[ModelVersion]) -> None:
    body = api.get(COMPARE, {"ids": ids(both)}).json()

    assert body["reference"] == both[0].pk
    assert [(row["number"], row["metrics"]["roc_auc"]) for row in body["versions"]] == [
        (1, 0.7812),
        (2, 0.7812),
    ]
    (pair,) = body["pairs"]
    assert (pair["version"], pair["against"], pair["problem"], pair["text"]) == (
        both[1].pk,
        both[0].pk,
        "",
        "",
    )
    assert (pair["customers"], pair["left_out"], pair["measured_again"]) == (400, 0, None)
    found = {each["metric"]: each for each in pair["differences"]}
    assert 0 < found["roc_auc"]["low"] < found["roc_auc"]["value"] < found["roc_auc"]["high"]
    assert (found["brier"]["label"], found["brier"]["lower_is_better"]) == ("Brier score", True)


def test_another_window_is_a_problem_in_words_and_not_an_error(
    api: Any, both: list[ModelVersion], make_version: Any
) -> None:
    other = make_version(both[0].agent, 3, evaluation={})

    (pair,) = api.get(COMPARE, {"ids": ids([both[0], other])}).json()["pairs"]

    assert (pair["problem"], pair["differences"]) == ("windows", [])
    assert pair["text"].startswith("churn v3 was tested on another window than churn v1")


@pytest.mark.parametrize("wrong", ["", "1", "1,", "1,2,3,4,5", "a,b", "1, 2", "１,２"])
def test_a_choice_that_is_none_is_refused(api: Any, both: list[ModelVersion], wrong: str) -> None:
    answer = api.get(COMPARE, {"ids": wrong})

    assert answer.status_code == 400
    assert [error["field"] for error in answer.json()["errors"]] == ["ids"]


def test_versions_of_different_agents_are_refused(
    api: Any, both: list[ModelVersion], make_version: Any
) -> None:
    foreign = make_version(Agent.objects.create(name="recommender"), 1)

    answer = api.get(COMPARE, {"ids": ids([both[0], foreign])})

    assert answer.status_code == 400
    assert "different agents" in answer.json()["errors"][0]["message"]


def test_a_version_that_does_not_exist_is_404(api: Any, both: list[ModelVersion]) -> None:
    assert api.get(COMPARE, {"ids": f"{both[0].pk},987654"}).status_code == 404


def test_one_version_carries_its_intervals_and_slices(
    api: Any, both: list[ModelVersion], make_version: Any
) -> None:
    told = {"intervals": {"level": 0.95}, "slices": {"metric": "roc_auc"}}
    version = make_version(both[0].agent, 3, evaluation={**EVALUATION, **told})

    evaluation = api.get(f"/api/v1/versions/{version.pk}/").json()["evaluation"]

    assert {key: evaluation[key] for key in told} == told


def test_a_card_is_json_unless_html_is_asked_for(api: Any, both: list[ModelVersion]) -> None:
    url = f"/api/v1/versions/{both[0].pk}/card/"
    answer = api.get(url)

    assert answer["Content-Type"] == "application/json"
    assert (answer.json()["agent"], answer.json()["version"]) == ("churn", 1)
    for page in (api.get(url, {"format": "html"}), api.get(url, headers={"Accept": "text/html"})):
        assert page["Content-Type"] == "text/html; charset=utf-8"
        assert page["Content-Disposition"] == 'attachment; filename="churn-v1-model-card.html"'
        assert b"Model card of churn v1" in page.content
    asked = api.get(url, {"format": "json"}, headers={"Accept": "text/html"})
    assert asked["Content-Type"] == "application/json"
    assert api.get(url, {"format": "pdf"}).status_code == 400
    assert api.get("/api/v1/versions/987654/card/", {"format": "html"}).status_code == 404


def test_a_card_needs_the_permission(
    client_of: Any, both: list[ModelVersion], django_user_model: Any
) -> None:
    nobody = client_of(django_user_model.objects.create_user("nobody"))

    assert nobody.get(f"/api/v1/versions/{both[0].pk}/card/").status_code == 403
    assert nobody.get(COMPARE, {"ids": ids(both)}).status_code == 403


def test_comparing_takes_few_queries(
    api: Any, both: list[ModelVersion], django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_max_num_queries(4):
        api.get(COMPARE, {"ids": ids(both)})
