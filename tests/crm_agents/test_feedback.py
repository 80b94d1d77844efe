import pytest
from django.contrib.auth.models import User

from crm_agents.models import Agent, Feedback
from crm_agents.services.feedback import FeedbackRejected, give_feedback
from crm_data.models import Customer
from crm_data.selectors import CustomerNotFound
from tests.published import publish

pytestmark = pytest.mark.django_db


@pytest.fixture
def churn(rep: User) -> Agent:
    Customer.objects.create(code="C1", name="One", owner=rep)
    return publish("churn", {"C1": (0.2, {})})


def test_feedback_names_the_scores_it_is_about(churn: Agent, rep: User) -> None:
    feedback = give_feedback(churn, customer_id="C1", verdict="wrong", item="P1", reason="No.", user=rep)

    feedback.refresh_from_db()
    assert (feedback.agent, feedback.scoring, feedback.customer_id) == (churn, churn.live_scoring, "C1")
    assert (feedback.verdict, feedback.item, feedback.reason, feedback.user) == ("wrong", "P1", "No.", rep)


def test_a_foreign_customer_is_not_found(churn: Agent, other_rep: User) -> None:
    with pytest.raises(CustomerNotFound):
        give_feedback(churn, customer_id="C1", verdict="wrong", user=other_rep)
    assert Feedback.objects.count() == 0


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"verdict": "maybe"}, "verdict is 'maybe'; choose one of accepted, dismissed, wrong."),
        ({"verdict": "wrong", "item": "x" * 65}, "item has 65 characters; at most 64 fit."),
        ({"verdict": "wrong", "reason": "x" * 501}, "reason has 501 characters; at most 500 fit."),
    ],
)
def test_a_bad_value_is_named(churn: Agent, rep: User, values: dict[str, str], words: str) -> None:
    with pytest.raises(FeedbackRejected) as refusal:
        give_feedback(churn, customer_id="C1", user=rep, **values)
    assert str(refusal.value) == words
    assert Feedback.objects.count() == 0
