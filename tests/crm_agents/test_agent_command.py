import io
from collections.abc import Callable
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from churn.models import ChurnScore
from crm_agents.following import bar, follow
from crm_agents.management.settings import assignment
from crm_agents.models import Agent, AuditEntry, Feedback, ModelVersion, RunStatus, ScoringRun, TrainingRun
from crm_agents.services.execution import execute_run
from crm_agents.services.runs import start_run
from crm_agents.services.shards import score_shard
from recommender.models import RecommendationSet
from tests.published import TOO_LOW, publish

pytestmark = pytest.mark.django_db(transaction=True)


def agent_command(*arguments: str) -> str:
    out = io.StringIO()
    call_command("agent", *arguments, stdout=out)
    return out.getvalue()


def test_every_agent_is_listed(agent: Agent) -> None:
    publish("recommender", {})

    assert agent_command("list").splitlines() == ["churn\t-\t-", "recommender\tsucceeded\tv1"]


def test_training_queues_a_run_with_its_overrides(agent: Agent, woken: list[str]) -> None:
    text = agent_command("train", "recommender", "--set", "epochs=2", "--set", "backbone=mf", "--no-publish")

    run = TrainingRun.objects.get()
    assert text == f"Run {run.pk} is queued. \n"
    assert (run.config, run.publish) == ({"epochs": 2, "backbone": "mf"}, False)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["train", "forecast"], "No agent is named 'forecast'. Registered: churn, recommender."),
        (["train", "recommender", "--set", "epohcs=2"], "Unknown setting epohcs"),
        (["cancel", "recommender"], "recommender has no active run."),
        (["promote", "recommender", "7"], "recommender has no version 7."),
        (["rollback", "recommender"], "recommender has no other version with scores to roll back to."),
        (["score", "recommender"], "recommender has no live version to score with."),
    ],
)
def test_what_cannot_be_done_is_said(agent: Agent, arguments: list[str], words: str) -> None:
    with pytest.raises(CommandError, match=words.replace(".", r"\.")):
        agent_command(*arguments)
    assert TrainingRun.objects.count() == 0


def test_an_active_run_is_cancelled(agent: Agent, woken: list[str]) -> None:
    run = start_run(agent)

    assert agent_command("cancel", "recommender") == f"Run {run.pk} is being cancelled.\n"
    run.refresh_from_db()
    assert run.status == RunStatus.CANCELLED


def test_promote_and_roll_back(agent: Agent) -> None:
    publish("recommender", {})
    publish("recommender", {})

    assert agent_command("rollback", "recommender") == "recommender v1 is live.\n"
    assert "v1  passed  live" in agent_command("status", "recommender")
    assert agent_command("promote", "recommender", "2") == "recommender v2 is live.\n"


def test_a_failed_gate_asks_for_a_reason(agent: Agent) -> None:
    publish("recommender", {})
    ModelVersion.objects.update(verdict="failed", verdict_reasons=[TOO_LOW])
    with pytest.raises(CommandError, match=r"needed: at least 0\.3030\. Give a reason"):
        agent_command("promote", "recommender", "1")

    assert (
        agent_command("promote", "recommender", "1", "--reason", "Asked for") == "recommender v1 is live.\n"
    )


def test_healing_by_hand(agent: Agent, woken: list[str]) -> None:
    TrainingRun.objects.create(agent=agent)

    assert agent_command("heal") == "1 rows healed.\n"


def test_assignments_are_json_or_text() -> None:
    assert assignment("epochs=3") == ("epochs", 3)
    assert assignment("backbone=cnn") == ("backbone", "cnn")
    assert assignment('minimum={"days": 9}') == ("minimum", {"days": 9})
    with pytest.raises(CommandError, match="'epochs' is not of the form key=value"):
        assignment("epochs")


def test_a_bar_shows_the_share_done() -> None:
    assert bar(1, 2) == "[############            ]  50 %"
    assert bar(0, 0) == "[                        ]   0 %"
    assert bar(5, 2) == "[########################] 100 %"


def test_following_ends_with_the_published_scores(
    agent: Agent, shop: None, woken: list[str], stub: Callable[..., None]
) -> None:
    run = start_run(agent)
    execute_run(run.pk)
    for shard in ScoringRun.objects.get().shards.all():
        score_shard(shard.pk)
    out = io.StringIO()

    assert follow(run, out, poll=0).status == RunStatus.SUCCEEDED
    assert out.getvalue().splitlines() == [
        "recommender: evaluating",
        "recommender v1: passed",
        "NDCG@10 0.4500 beats 0.3000 (Customer's own most frequent products); needed: at least 0.3030.",
        "NDCG@10 0.4500 beats 0.3000 (Bought together (ItemKNN)); needed: at least 0.3030.",
        "NDCG@10 0.4500 beats 0.3000 (Most popular products); needed: at least 0.3030.",
        "NDCG@10, products new to the customer 0.3000 beats 0.2000 (Bought together (ItemKNN)); "
        "needed: at least 0.2000.",
        "recommender v1: published, 6 customers scored",
    ]


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_gets_one_line_that_is_redrawn(agent: Agent, monkeypatch: pytest.MonkeyPatch) -> None:
    run = TrainingRun.objects.create(
        agent=agent,
        status=RunStatus.TRAINING,
        progress={"phase": "training", "step": 1, "of": 4, "loss": 0.5, "eta_seconds": 9.6},
    )

    def end(_: float) -> None:
        TrainingRun.objects.update(status=RunStatus.FAILED, error="Broken.")

    monkeypatch.setattr("crm_agents.following.time.sleep", end)
    out = Terminal()
    follow(run, out)

    assert out.getvalue() == (
        "\r\x1b[2Krecommender: training [######                  ]  25 %  loss 0.5000  10 s left"
        "\r\x1b[2Krecommender: failed Broken.\n"
    )


def test_waiting_for_a_run_that_fails_is_an_error(
    agent: Agent, woken: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(run: TrainingRun, stream: Any) -> TrainingRun:
        run.status = RunStatus.FAILED
        return run

    monkeypatch.setattr("crm_agents.management.actions.train.follow", fail)
    with pytest.raises(CommandError, match=r"The run did not succeed\."):
        agent_command("train", "recommender", "--wait")


def test_a_customer_is_erased_at_once(agent: Agent) -> None:
    publish("recommender", {"C1": (0.5, {"items": []}), "C2": (0.5, {"items": []})})
    publish("churn", {"C1": (0.5, {"reasons": []})}, tenant="north")
    Feedback.objects.create(agent=agent, customer_id="C1", verdict="wrong")

    assert agent_command("erase", "C1") == "Rows about this customer that are erased: 2.\n"
    assert agent_command("erase", "C1") == "Rows about this customer that are erased: 0.\n"
    assert [row.customer_id for row in RecommendationSet.objects.all()] == ["C2"]
    assert (ChurnScore.objects.count(), Feedback.objects.count()) == (1, 0)
    [entry] = AuditEntry.objects.all()
    assert (entry.action, entry.agent, entry.subject) == ("customers.erased", agent, "recommender")
    assert entry.detail == {"recommendationset": 1, "feedback": 1}
    assert agent_command("erase", "C1", "--tenant", "north").endswith(": 1.\n")
