from datetime import timedelta
from typing import Any

import polars as pl
import pytest
from django.utils import timezone

from crm_agents.arms import in_second_arm
from crm_agents.experiment_words import cautions, verdict
from crm_agents.folders import enrolled_folder
from crm_agents.models import Agent, AuditEntry, Experiment, Kept, ScoringRun
from crm_agents.services.experiments import enrolling
from crm_agents.services.experiments.measuring import (
    experiments_due,
    lock_folder,
    measure_experiment,
    send_for_measuring,
)
from crm_agents.services.experiments.outcomes import collect
from crm_agents.services.privacy.erasing import erase
from crm_agents.services.privacy.opting import opt_out
from crm_data.models import Customer, Interaction
from recommender.models import RecommendationSet
from tests.crm_agents.experiments.support import begun, listed, open_shop, sell, trade
from tests.published import publish

pytestmark = pytest.mark.django_db

SENT = "crm_agents.services.experiments.measuring.current_app.send_task"


def measured(experiment: Experiment) -> dict[str, Any]:
    assert measure_experiment(experiment.pk)
    experiment.refresh_from_db()
    result: dict[str, Any] = experiment.result
    return result


@pytest.mark.parametrize("uplift", [0.0, 0.2, 0.6])
def test_the_interval_holds_the_planted_uplift(uplift: float) -> None:
    experiment = begun(open_shop(3_000), share=0.3)
    trade(experiment, uplift=uplift, seed=12)
    result = measured(experiment)
    found = result["figures"]["bought"]
    assert found["relative_low"] < uplift < found["relative_high"]
    assert result["figures"]["revenue"]["method"] == "bootstrap"
    assert (
        result["figures"]["revenue"]["relative_low"] < uplift < result["figures"]["revenue"]["relative_high"]
    )
    assert sum(result["customers"]) == 3_000
    assert result["split_chance"] > 0.001
    tone, sentence = verdict(experiment)
    told = found["low"] > 0
    assert (tone, told) == (("good", True) if uplift == 0.6 else (tone, told))
    assert sentence.startswith("No difference can be told from chance.") is not told
    assert not result["over"]


def test_each_customer_counts_once_with_what_was_done_in_time() -> None:
    experiment = begun(open_shop(4), days_ago=10)
    start, now = experiment.started_at, timezone.now()
    Interaction.objects.bulk_create(
        [
            sell("C0", start + timedelta(days=1), amount=10, basket="one"),
            sell("C0", start + timedelta(days=1), amount=4, basket="one", product="P3"),
            sell("C0", start + timedelta(days=2), amount=6, basket=""),
            sell("C0", start + timedelta(days=3), amount=5, kind="return"),
            sell("C0", start - timedelta(days=3), amount=7),
            sell("C1", start - timedelta(days=29), amount=50),  # before as many days as count
            sell("C1", now + timedelta(days=1), amount=50),  # not yet
            sell("C2", start + timedelta(days=1), amount=3, product="P3"),  # not of the list
            sell("C3", start + timedelta(days=1), amount=0, kind="visit"),
        ]
    )
    enrolling.enrol(experiment)
    found = collect(experiment, until=now)
    assert found.after["bought"].tolist() == [1, 0, 1, 0]
    assert found.after["orders"].tolist() == [2, 0, 1, 0]
    assert found.after["revenue"].tolist() == [15, 0, 3, 0]
    assert found.before["revenue"].tolist() == [7, 0, 0, 0]
    assert found.hits is not None
    assert found.hits.tolist() == [1, 0, 0, 0]
    assert found.second.tolist() == [in_second_arm(experiment, f"C{each}") for each in range(4)]


def test_parts_and_queries_of_any_size_say_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    experiment = begun(open_shop(200), share=0.5)
    trade(experiment, uplift=0.5)
    whole = measured(experiment)
    monkeypatch.setattr(enrolling, "PART", 30)
    monkeypatch.setattr("crm_agents.services.experiments.outcomes.AT_ONCE", 7)
    enrolling.enrol(experiment)
    assert len(list(enrolled_folder(experiment).glob("*.parquet"))) == 7
    assert measured(experiment)["figures"] == whole["figures"]


def test_who_takes_part_is_settled_at_the_start() -> None:
    agent = open_shop(3)
    RecommendationSet.objects.filter(customer_id="C1").update(score=None)  # had no answer
    experiment = begun(agent)
    measured(experiment)
    RecommendationSet.objects.filter(customer_id="C1").update(score=0.5)
    Customer.objects.create(code="new", name="new")
    measured(experiment)
    (part,) = enrolling.enrolled_parts(experiment)
    assert part.to_dicts() == [{"customer": each, "items": ["P1", "P2"]} for each in ("C0", "C2")]
    assert (experiment.enrolled, sum(experiment.result["customers"])) == (2, 2)


def test_two_versions_are_compared_without_the_control_group_of_the_time() -> None:
    agent = open_shop(400)
    other = publish("recommender", {f"C{each}": (0.5, listed("P3")) for each in range(300)})
    agent = Agent.objects.get(pk=other.pk)
    assert agent.live_scoring is not None
    rival = ScoringRun.objects.exclude(pk=agent.live_scoring.pk).get()
    experiment = begun(
        agent, kind="ab", treatment="", share=0.5, salt="ab", rival=rival.version, rival_scoring=rival
    )
    control = begun(agent, days_ago=1, salt="control")
    begun(agent, days_ago=90, salt="long ago", ended_at=timezone.now() - timedelta(days=60))
    result = measured(experiment)
    out = [each for each in range(300) if in_second_arm(control, f"C{each}")]
    assert experiment.enrolled == 300  # whom both versions have an answer for
    assert result["left_out"] == len(out) > 10
    assert sum(result["customers"]) == 300 - len(out)
    for row in pl.concat(enrolling.enrolled_parts(experiment)).to_dicts():
        own = ["P1", "P2"] if in_second_arm(experiment, row["customer"]) else ["P3"]
        assert row["items"] == own


def test_whoever_opts_out_or_is_erased_falls_out_of_the_figures_and_the_files() -> None:
    experiment = begun(open_shop(5))
    measured(experiment)
    opt_out("", "C1")
    erase("", "C3")
    (part,) = enrolling.enrolled_parts(experiment)
    assert "C3" not in part["customer"].to_list()
    result = measured(experiment)
    assert sum(result["customers"]) == 3
    assert result["left_out"] == 1  # of those still in the files


def test_the_split_is_watched() -> None:
    agent = open_shop(600)
    experiment = begun(agent, share=0.5)
    control = [f"C{each}" for each in range(600) if in_second_arm(experiment, f"C{each}")]
    RecommendationSet.objects.filter(customer_id__in=control[:150]).delete()  # one arm loses customers
    assert measured(experiment)["split_chance"] < 0.001
    assert cautions(experiment)[0][0] == "bad"
    assert "Do not believe the figures" in cautions(experiment)[0][1]


def test_without_the_scores_of_the_start_it_says_so() -> None:
    experiment = begun(open_shop(2))
    ScoringRun.objects.update(scores=Kept.GONE)
    assert measured(experiment) == {"problem": "scores_gone"}
    assert verdict(experiment)[0] == "bad"


def test_only_one_worker_measures(monkeypatch: pytest.MonkeyPatch) -> None:
    from crm_agents.services.watching.alone import alone

    experiment = begun(open_shop(2))
    with alone(lock_folder(enrolled_folder(experiment))) as first:
        assert first
        assert not measure_experiment(experiment.pk)
    assert not measure_experiment(0)
    assert measure_experiment(experiment.pk)


def test_the_round_ends_what_is_over_and_sends_for_what_is_due(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[str] = []
    monkeypatch.setattr(SENT, lambda task, args, expires: sent.extend(args))
    now = timezone.now()
    agent = open_shop(2)
    over = begun(agent, days_ago=40)
    assert send_for_measuring(agent, now=now) == 1
    over.refresh_from_db()
    assert (over.ended_for, over.ended_at) == ("over", over.started_at + timedelta(days=28))
    assert sent == [str(over.pk)]
    assert AuditEntry.objects.filter(action="experiment.ended").count() == 1
    measure_experiment(over.pk, now=now)
    over.refresh_from_db()
    assert over.result["over"]
    assert experiments_due(agent, now) == []
    assert experiments_due(agent, now + timedelta(days=2)) == []  # it ended more than a week ago
    running = begun(agent, days_ago=1)
    measure_experiment(running.pk, now=now)
    assert experiments_due(agent, now + timedelta(hours=23)) == []
    assert experiments_due(agent, now + timedelta(hours=25)) == [running]


def test_a_week_after_the_end_nobody_knows_who_took_part(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SENT, lambda *args, **options: None)
    agent, now = open_shop(3), timezone.now()
    experiment = begun(agent, days_ago=28)
    result = measured(experiment)
    send_for_measuring(agent, now=now + timedelta(days=6))
    assert enrolled_folder(experiment).exists()
    send_for_measuring(agent, now=now + timedelta(days=8))
    assert not list(enrolled_folder(experiment).parent.iterdir())
    assert not measure_experiment(experiment.pk)
    experiment.refresh_from_db()
    assert experiment.result == result


def test_two_versions_end_when_another_goes_live(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SENT, lambda *args, **options: None)
    agent = open_shop(2)
    experiment = begun(agent, kind="ab", treatment="", rival=agent.live_version)
    send_for_measuring(agent, now=timezone.now())
    experiment.refresh_from_db()
    assert (experiment.ended_for, experiment.is_running) == ("changed", False)
