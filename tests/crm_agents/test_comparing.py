"""Versions against each other, customer by customer."""

import os
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from crm_agents.folders import predictions_file, records_folder
from crm_agents.models import Agent, ModelVersion, ScoringRun
from crm_agents.services import comparing
from crm_agents.services.comparing import (
    NoSuchVersion,
    NotComparable,
    chosen_versions,
    compare,
    compare_with_live,
    paired,
    reference_of,
)
from crm_data.models import Snapshot
from tests.crm_agents_admin.compared import churn_examples, keep_examples
from tests.crm_agents_admin.support import AT, EVALUATION, make_version


@pytest.fixture
def agent(db: None) -> Agent:
    return Agent.objects.create(name="churn")


@pytest.fixture
def snapshot(db: None) -> Snapshot:
    sizes = {"events": 1, "customers": 1, "products": 1, "shards": 1}
    return Snapshot.objects.create(folder="snapshots/one", sha256="a1" * 32, watermark=AT, **sizes)


@pytest.fixture
def first(agent: Agent, snapshot: Snapshot) -> ModelVersion:
    return keep_examples(make_version(agent, snapshot, number=1), churn_examples(told=0.2))


@pytest.fixture
def second(agent: Agent, snapshot: Snapshot) -> ModelVersion:
    return keep_examples(make_version(agent, snapshot, number=2), churn_examples(told=0.6))


def test_a_better_version_is_surely_better_on_the_customers_of_both(
    first: ModelVersion, second: ModelVersion
) -> None:
    found = paired(second, first)

    assert (found.problem, found.customers, found.left_out) == ("", 400, 0)
    value, low, high = found.differences["roc_auc"]
    assert value is not None
    assert low is not None
    assert high is not None
    assert 0 < low < value < high
    back = paired(first, second).differences["roc_auc"]
    assert back == pytest.approx((-value, -high, -low))


def test_a_version_against_the_same_answers_differs_by_nothing(first: ModelVersion, agent: Agent) -> None:
    again = keep_examples(make_version(agent, first.snapshot, number=3), churn_examples(told=0.2))

    differences = paired(again, first).differences

    assert set(differences.values()) == {(0.0, 0.0, 0.0)}


def test_only_customers_of_both_with_one_outcome_are_paired(first: ModelVersion, agent: Agent) -> None:
    other = churn_examples(300, told=0.5, first=200)  # c00200 … c00499; the first hundred's outcome changed
    flipped = other.with_columns(
        pl.when(pl.col("customer") < "c00300")
        .then(~pl.col("label"))
        .otherwise(pl.col("label"))
        .alias("label")
    )
    third = keep_examples(make_version(agent, first.snapshot, number=3), flipped)

    found = paired(third, first)

    assert (found.problem, found.customers) == ("", 100)
    assert found.left_out == (300 - 100) + (400 - 100)


def test_another_window_is_not_paired(first: ModelVersion, agent: Agent) -> None:
    later = {**EVALUATION, "windows": {"test": ["2011-07-01T00:00:00+00:00", "2011-09-29T00:00:00+00:00"]}}
    other = make_version(agent, first.snapshot, number=3, evaluation=later)
    keep_examples(other, churn_examples())

    assert paired(other, first).problem == "windows"
    assert paired(make_version(agent, first.snapshot, number=4, evaluation={}), first).problem == "windows"


def test_without_predictions_there_is_nothing_to_pair(first: ModelVersion, agent: Agent) -> None:
    bare = make_version(agent, first.snapshot, number=3)

    found = paired(bare, first)

    assert (found.problem, found.differences) == ("predictions", {})


def test_other_customers_or_other_metrics_are_named(first: ModelVersion, agent: Agent) -> None:
    strangers = keep_examples(make_version(agent, first.snapshot, number=3), churn_examples(50, first=1000))
    ranking = churn_examples().select("customer", "at").with_columns(pl.lit(0.5).alias("ndcg@10"))
    other = keep_examples(make_version(agent, first.snapshot, number=4), ranking)

    assert paired(strangers, first).problem == "customers"
    assert paired(other, first).problem == "metrics"


def test_the_reference_is_the_live_version_or_the_oldest(first: ModelVersion, second: ModelVersion) -> None:
    assert reference_of([second, first]) == first
    agent = first.agent
    agent.live_version = second
    agent.save()
    both = chosen_versions([first.pk, second.pk])

    assert reference_of(both) == second
    assert [(each.version, each.against) for each in compare(both)] == [(first, second)]


def test_two_to_four_versions_of_one_agent_may_be_chosen(
    first: ModelVersion, second: ModelVersion, snapshot: Snapshot
) -> None:
    foreign = make_version(Agent.objects.create(name="recommender"), snapshot, number=1)

    assert chosen_versions([second.pk, first.pk, second.pk]) == [first, second]
    with pytest.raises(NotComparable, match="these are 1"):
        chosen_versions([first.pk, first.pk])
    with pytest.raises(NotComparable, match="these are 5"):
        chosen_versions([1, 2, 3, 4, 5])
    with pytest.raises(NoSuchVersion, match="no version 999"):
        chosen_versions([first.pk, 999])
    with pytest.raises(NotComparable, match="different agents"):
        chosen_versions([first.pk, foreign.pk])
    with pytest.raises(NoSuchVersion):
        chosen_versions([first.pk, second.pk], tenant="elsewhere")


class TestKept:
    @pytest.fixture(autouse=True)
    def slow(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(comparing, "SLOW", -1.0)

    def place(self, version: ModelVersion) -> Path:
        return records_folder(version) / "compared-with-1.json"

    def test_a_slow_comparison_is_computed_once(
        self, first: ModelVersion, second: ModelVersion, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        found = paired(second, first)
        monkeypatch.setattr(comparing, "_computed", None)

        assert self.place(second).is_file()
        assert paired(second, first) == found

    def test_an_erased_customer_makes_it_new(self, first: ModelVersion, second: ModelVersion) -> None:
        paired(second, first)
        path = predictions_file(first)
        pl.read_parquet(path)[1:].write_parquet(path)

        assert paired(second, first).customers == 399

    def test_what_was_kept_and_is_damaged_is_computed_anew(
        self, first: ModelVersion, second: ModelVersion
    ) -> None:
        found = paired(second, first)
        self.place(second).write_text("{")

        assert paired(second, first) == found

    def test_a_folder_that_cannot_be_written_only_costs_time(
        self, first: ModelVersion, second: ModelVersion, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(*_args: Any) -> None:
            raise OSError("read-only")

        monkeypatch.setattr(comparing, "write_json", refuse)

        assert paired(second, first).customers == 400
        assert not self.place(second).exists()

    def test_a_new_version_is_compared_with_the_live_one_ahead_of_the_page(
        self, first: ModelVersion, second: ModelVersion
    ) -> None:
        compare_with_live(second)
        assert not self.place(second).exists()

        agent = first.agent
        agent.live_version = first
        agent.save()
        second.refresh_from_db()
        compare_with_live(second)
        assert self.place(second).is_file()

    def test_a_damaged_file_does_not_fail_the_run_that_made_the_version(
        self, first: ModelVersion, second: ModelVersion
    ) -> None:
        agent = first.agent
        agent.live_version = first
        agent.save()
        second.refresh_from_db()
        predictions_file(first).write_bytes(os.urandom(10))

        compare_with_live(second)

        assert not self.place(second).exists()
        assert paired(second, first).problem == "predictions"


def test_a_live_scoring_is_not_touched_by_comparing(first: ModelVersion, second: ModelVersion) -> None:
    compare([first, second])

    assert ScoringRun.objects.count() == 0
