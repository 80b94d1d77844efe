from typing import Any

import pytest
from django.contrib.auth.models import User

from churn.selectors import churn_for, tier_cells, worklist
from crm_agents.models import Agent, Feedback, RunStatus, TrainingRun
from crm_agents.models.feedback import FeedbackVerdict
from crm_agents.recipes import Cell, get_recipe
from crm_data.models import Customer
from tests.published import Answer, publish

pytestmark = pytest.mark.django_db

OVERDUE = {"code": "overdue", "direction": "up", "usual_gap_days": 18, "days_since": 74}
UNFINISHED = {"training_failed": "The last training of this agent did not finish, so there are no scores."}
ANSWERS: dict[str, Answer] = {
    "A": (0.81234567, {"before": 0.6, "reasons": [OVERDUE, {"code": "new_in_a_later_version"}]}),
    "B": (0.5, {"before": 0.45, "reasons": []}),
    "C": (0.1, {"before": None, "reasons": []}),
    "D": (None, {"missing": [{"code": "inactive", "days": 365}]}),
}


def test_a_warning_is_probability_tier_trend_and_reasons_in_words() -> None:
    agent = publish("churn", ANSWERS)
    assert churn_for(agent, "A") == {
        "agent": "churn",
        "customer_id": "A",
        "probability": 0.8123,
        "tier": "high",
        "tier_label": "high",
        "trend": "rising",
        "trend_label": "risk rising",
        "reasons": [
            {
                "code": "overdue",
                "direction": "up",
                "effect": "raises the risk",
                "text": "Usually orders every 18 days; last order 74 days ago.",
            }
        ],
        "missing": [],
        "as_of": "2011-12-09T12:50:00+00:00",
        "version": 1,
        "refreshed_at": None,
        "feedback": None,
    }


def no_answer(customer_id: str, missing: dict[str, str], **provenance: Any) -> dict[str, Any]:
    return {
        "agent": "churn",
        "customer_id": customer_id,
        "probability": None,
        "tier": "unknown",
        "tier_label": "not enough information",
        "trend": "unknown",
        "trend_label": "not enough information",
        "reasons": [],
        "missing": [{"code": code, "text": text} for code, text in missing.items()],
        "as_of": None,
        "version": None,
        "refreshed_at": None,
        "feedback": None,
        **provenance,
    }


def test_without_enough_information_the_answer_says_what_is_missing() -> None:
    agent = publish("churn", ANSWERS)
    assert churn_for(agent, "D") == no_answer(
        "D",
        {"inactive": "No purchase in the last 365 days."},
        as_of="2011-12-09T12:50:00+00:00",
        version=1,
    )


def test_a_customer_who_came_after_the_scoring_is_told_apart() -> None:
    agent = publish("churn", ANSWERS)
    assert churn_for(agent, "new") == no_answer(
        "new",
        {
            "not_covered": "The scores of Dec. 9, 2011 do not cover this customer; "
            "one who came later is scored the next time."
        },
        as_of="2011-12-09T12:50:00+00:00",
        version=1,
    )


@pytest.mark.parametrize(
    ("status", "missing", "why"),
    [
        (None, [], {"not_trained": "This agent has not been trained yet."}),
        (RunStatus.QUEUED, [], {"in_training": "This agent is being trained now."}),
        (
            RunStatus.NOT_ENOUGH_DATA,
            [{"code": "customers", "have": 3, "need": 50}],
            {
                "not_enough_data": "There is not enough data to train this agent yet.",
                "customers": "3 customers with purchases; at least 50 are needed.",
            },
        ),
        (RunStatus.FAILED, [], UNFINISHED),
        (RunStatus.CANCELLED, [], UNFINISHED),
        (
            RunStatus.SUCCEEDED,
            [],
            {"not_published": "This agent is trained, but none of its versions is published."},
        ),
    ],
)
def test_before_anything_is_live_the_answer_says_why(
    status: str | None, missing: list[dict[str, Any]], why: dict[str, str]
) -> None:
    agent = Agent.objects.create(name="churn")
    if status is not None:
        TrainingRun.objects.create(agent=agent, status=status, missing=missing)
    assert churn_for(agent, "A") == no_answer("A", why)


def test_only_the_live_scoring_is_read() -> None:
    publish("churn", ANSWERS)
    agent = publish("churn", {"A": (0.2, {"before": 0.2, "reasons": []})})
    assert (churn_for(agent, "A")["probability"], churn_for(agent, "A")["version"]) == (0.2, 2)
    assert churn_for(agent, "B")["probability"] is None


def test_the_last_feedback_of_the_score_is_shown(rep: User) -> None:
    agent = publish("churn", ANSWERS)
    for item, verdict in (("", FeedbackVerdict.ACCEPTED), ("", FeedbackVerdict.WRONG), ("85048", "accepted")):
        Feedback.objects.create(agent=agent, customer_id="A", item=item, verdict=verdict, user=rep)
    Feedback.objects.create(agent=agent, customer_id="B", verdict=FeedbackVerdict.DISMISSED, user=rep)
    found = churn_for(agent, "A")["feedback"]
    assert (found["verdict"], found["label"], found["by"]) == ("wrong", "wrong", "rep")


def make_customers(owner: User | None, *codes: str) -> None:
    for code in codes:
        Customer.objects.create(code=code, name=f"Shop {code}", owner=owner)


def test_the_worklist_is_sorted_by_risk_and_leaves_out_who_has_no_score(manager: User) -> None:
    make_customers(None, "A", "B", "C", "D")
    agent = publish("churn", ANSWERS)
    assert [row.customer_id for row in worklist(agent, manager)] == ["A", "B", "C"]
    assert [row.customer_id for row in worklist(agent, manager, tier="medium")] == ["B"]
    assert [row.customer_id for row in worklist(agent, manager, tier="unknown")] == ["D"]


def test_a_rep_has_only_own_customers_in_the_worklist(rep: User, other_rep: User) -> None:
    make_customers(rep, "B")
    make_customers(other_rep, "A", "C")
    agent = publish("churn", ANSWERS)
    assert [row.customer_id for row in worklist(agent, rep)] == ["B"]
    assert [row.customer_id for row in worklist(agent, other_rep)] == ["A", "C"]


def test_the_tiers_of_a_page_of_customers_take_two_queries(django_assert_num_queries: Any) -> None:
    agent = publish("churn", ANSWERS)
    with django_assert_num_queries(2):  # experiments, scores
        cells = tier_cells(agent, ["A", "D", "stranger"])
    assert cells == {"A": Cell("high", "high"), "D": Cell("not enough information", "unknown")}


def test_the_summary_is_short() -> None:
    agent = publish("churn", ANSWERS)
    assert get_recipe("churn").customer_summary(agent, "A") == {
        "probability": 0.8123,
        "tier": "high",
        "trend": "rising",
        "missing": [],
        "as_of": "2011-12-09T12:50:00+00:00",
        "version": 1,
    }
