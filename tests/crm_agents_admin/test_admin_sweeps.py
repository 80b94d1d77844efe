"""Comparing, searching, range tests and settings, as people at the admin meet them."""

from datetime import timedelta
from typing import Any

import pytest
import yaml
from django.test import Client

from crm_agents.models import (
    Agent,
    AuditEntry,
    ModelVersion,
    Purpose,
    RunStatus,
    Sweep,
    SweepKind,
    SweepStatus,
    TrainingRun,
)
from tests.crm_agents_admin import test_admin_agents
from tests.crm_agents_admin.support import AT, inline_parts, signed_in, staff, text_of

pytestmark = pytest.mark.django_db

AGENTS = "/admin/crm_agents/agent/"
SWEEPS = "/admin/crm_agents/sweep/"
RUNS = "/admin/crm_agents/trainingrun/"
start_values = test_admin_agents.TestStart().values


@pytest.fixture(autouse=True)
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    asked: list[str] = []
    monkeypatch.setattr("crm_agents.services.tuning.sweeps.ask", lambda task, pk: asked.append(pk))
    return asked


@pytest.fixture
def sweep(agent: Agent) -> Sweep:
    """A search of which three trials have ended and one is at work."""
    sweep = Sweep.objects.create(
        agent=agent,
        kind=SweepKind.SEARCH,
        space={
            "learning_rate": {"type": "float", "low": 1e-4, "high": 0.1, "log": True},
            "backbone": {"type": "choice", "values": ["cnn", "rnn"]},
        },
        metric="roc_auc",
        planned=10,
        importance={"learning_rate": 0.8, "backbone": 0.2},
    )
    trial(sweep, 0, 0.001, "cnn", RunStatus.SUCCEEDED, 0.71)
    trial(sweep, 1, 0.003, "rnn", RunStatus.SUCCEEDED, 0.78)
    trial(sweep, 2, 0.05, "cnn", RunStatus.PRUNED, 0.6)
    trial(sweep, 3, 0.002, "rnn", RunStatus.TRAINING, None)
    return sweep


def trial(
    sweep: Sweep, number: int, rate: float, backbone: str, status: str, value: float | None
) -> TrainingRun:
    return TrainingRun.objects.create(
        agent=sweep.agent,
        purpose=Purpose.TRIAL,
        sweep=sweep,
        trial=number,
        config={"learning_rate": rate, "backbone": backbone},
        status=status,
        value=value,
        reached=[[1, value]] if value else [],
        report={"seconds": 75.0, "parameters": 41234} if status == RunStatus.SUCCEEDED else {},
        started_at=AT,
        finished_at=AT + timedelta(seconds=80) if status != RunStatus.TRAINING else None,
    )


def page(sweep: Sweep) -> str:
    return f"{SWEEPS}{sweep.pk}/change/"


class TestCompare:
    def test_one_click_compares_the_backbones(self, boss: Client, agent: Agent) -> None:
        shown = text_of(boss.get(f"{AGENTS}{agent.pk}/change/"))
        assert f'<form method="post" action="{AGENTS}{agent.pk}/compare/">' in shown
        answer = boss.post(f"{AGENTS}{agent.pk}/compare/")

        sweep = Sweep.objects.get()
        assert answer["Location"] == page(sweep)
        assert (sweep.kind, sweep.planned, sweep.pruner) == ("comparison", 4, "none")
        assert list(AuditEntry.objects.values_list("action", "user__username")) == [("sweep.started", "boss")]

    def test_a_second_click_leads_to_the_first_sweep(self, boss: Client, agent: Agent, sweep: Sweep) -> None:
        answer = boss.post(f"{AGENTS}{agent.pk}/compare/")

        assert answer["Location"] == page(sweep)
        assert Sweep.objects.count() == 1

    def test_it_is_a_write_with_a_permission_of_its_own(
        self, boss: Client, viewer: Client, agent: Agent
    ) -> None:
        assert boss.get(f"{AGENTS}{agent.pk}/compare/").status_code == 405
        assert viewer.post(f"{AGENTS}{agent.pk}/compare/").status_code == 403
        assert viewer.get(f"{AGENTS}{agent.pk}/tuning/").status_code == 403
        assert "/compare/" not in text_of(viewer.get(f"{AGENTS}{agent.pk}/change/"))
        assert Sweep.objects.count() == 0


class TestSearch:
    def values(self, **changed: object) -> dict[str, object]:
        return {
            "trials": 9,
            "parallel": 2,
            "epochs": 6,
            "minutes": "",
            "pruner": "hyperband",
            "seed": 5,
            "dropout_low": 0,
            "dropout_high": 0.3,
            "width_values": "32, 64",
            "backbones": ["cnn", "rnn"],
            **changed,
        }

    def test_the_form_begins_around_the_agents_settings(self, boss: Client, agent: Agent) -> None:
        answer = boss.get(f"{AGENTS}{agent.pk}/tuning/")
        text = text_of(answer)

        assert 'name="learning_rate_low" value="0.0004"' in text
        assert 'name="width_values" value="32, 64, 128"' in text
        assert 'name="epochs" value="6"' in text
        assert inline_parts(answer) == []

    def test_a_search_is_started_with_what_was_asked(self, boss: Client, agent: Agent) -> None:
        answer = boss.post(f"{AGENTS}{agent.pk}/tuning/", self.values(epochs=2, train_best="on"))

        sweep = Sweep.objects.get()
        assert answer["Location"] == page(sweep)
        assert sweep.space == {
            "dropout": {"type": "float", "low": 0.0, "high": 0.3, "log": False},
            "width": {"type": "choice", "values": [32, 64]},
            "backbone": {"type": "choice", "values": ["cnn", "rnn"]},
        }
        assert (sweep.planned, sweep.parallel, sweep.pruner, sweep.seed) == (9, 2, "hyperband", 5)
        assert (sweep.config, sweep.train_best, sweep.minutes) == ({"epochs": 2}, True, None)

    @pytest.mark.parametrize(
        ("field", "value", "expected"),
        [
            ("dropout_high", 2, "space.dropout.high holds 2.0; it must be at least 0 and below 1."),
            ("dropout_high", "", "Give both ends, or neither to leave this setting as it is."),
            ("width_values", "wide", "“wide” is not a list of whole numbers"),
            ("width_values", "33", "width 33 must be a multiple of heads 2."),
            ("trials", 0, "Ensure this value is greater than or equal to 1."),
        ],
    )
    def test_a_bad_value_is_named_and_starts_nothing(
        self, boss: Client, agent: Agent, field: str, value: object, expected: str
    ) -> None:
        changed = {field: value} if field != "width_values" else {field: value, "backbones": []}
        answer = boss.post(f"{AGENTS}{agent.pk}/tuning/", self.values(**changed))

        assert answer.status_code == 200
        assert expected in text_of(answer)
        assert Sweep.objects.count() == 0


class TestPage:
    def test_it_shows_trials_best_and_plots(self, viewer: Client, sweep: Sweep) -> None:
        answer = viewer.get(page(sweep))
        text = text_of(answer)

        assert "3 of 10 trials have ended." in text
        assert "Best so far: trial 1 with ROC-AUC 0.7800 on the validation window." in text
        assert "41,234" in text
        assert "1 min 15 s" in text
        assert '<title id="importance-title">Which settings mattered</title>' in text
        assert '<title id="parallel-title">Trials across their settings</title>' in text
        assert f'data-url="{SWEEPS}{sweep.pk}/trials/"' in text
        assert "Train with these settings" not in text
        assert ">Stop</button>" not in text
        assert inline_parts(answer) == []

    def test_who_may_run_finds_the_buttons(self, boss: Client, agent: Agent, sweep: Sweep) -> None:
        text = text_of(boss.get(page(sweep)))
        best = sweep.trials.get(trial=1)

        assert f'href="{AGENTS}{agent.pk}/start/?from={best.pk}">Train with these settings' in text
        assert ">Stop</button>" in text

    def test_the_part_that_changes_is_asked_for(self, viewer: Client, sweep: Sweep) -> None:
        answer = viewer.get(f"{SWEEPS}{sweep.pk}/trials/")
        assert answer["X-Running"] == "yes"
        assert b"<html" not in answer.content
        Sweep.objects.update(status=SweepStatus.SUCCEEDED)
        assert viewer.get(f"{SWEEPS}{sweep.pk}/trials/")["X-Running"] == "no"

    def test_stop_and_go_on(self, boss: Client, sweep: Sweep) -> None:
        assert boss.get(f"{SWEEPS}{sweep.pk}/stop/").status_code == 405
        boss.post(f"{SWEEPS}{sweep.pk}/stop/")
        sweep.refresh_from_db()
        assert sweep.status == SweepStatus.STOPPED
        assert sweep.trials.get(trial=3).cancel_requested
        assert ">Go on</button>" in text_of(boss.get(page(sweep)))
        boss.post(f"{SWEEPS}{sweep.pk}/resume/")
        sweep.refresh_from_db()
        assert sweep.status == SweepStatus.RUNNING

    def test_stopping_needs_the_permission(self, viewer: Client, sweep: Sweep) -> None:
        assert viewer.post(f"{SWEEPS}{sweep.pk}/stop/").status_code == 403
        assert viewer.post(f"{SWEEPS}{sweep.pk}/resume/").status_code == 403
        sweep.refresh_from_db()
        assert sweep.status == SweepStatus.RUNNING

    def test_missing_data_is_told(self, viewer: Client, sweep: Sweep) -> None:
        sweep.trials.filter(trial=3).update(status=RunStatus.NOT_ENOUGH_DATA, missing=[{"code": "no_events"}])
        assert "There is not enough data yet" in text_of(viewer.get(page(sweep)))

    def test_it_stays_quick_with_many_trials(
        self, boss: Client, sweep: Sweep, django_assert_max_num_queries: Any
    ) -> None:
        for number in range(4, 60):
            trial(sweep, number, 0.001 + number / 1e4, "cnn", RunStatus.SUCCEEDED, 0.5 + number / 1e3)
        with django_assert_max_num_queries(9):
            boss.get(page(sweep))
        with django_assert_max_num_queries(9):
            boss.get(SWEEPS)

    def test_a_trial_leads_back_to_its_sweep(self, boss: Client, agent: Agent, sweep: Sweep) -> None:
        text = text_of(boss.get(f"{RUNS}{sweep.trials.get(trial=1).pk}/change/"))

        assert "Trial of spare" in text
        assert f'href="{page(sweep)}"' in text
        assert "Train with these settings" in text
        assert "Publish if the gate is passed" not in text

    def test_trials_are_no_runs_of_the_agents_page(self, boss: Client, agent: Agent, sweep: Sweep) -> None:
        text = text_of(boss.get(f"{AGENTS}{agent.pk}/change/"))

        assert "It has never been run." in text
        assert "A run is going on." not in text
        assert "never run" in text_of(boss.get(AGENTS))


class TestStartWithOtherSettings:
    def test_the_form_begins_with_a_trials_settings(self, boss: Client, agent: Agent, sweep: Sweep) -> None:
        best = sweep.trials.get(trial=1)
        text = text_of(boss.get(f"{AGENTS}{agent.pk}/start/?from={best.pk}"))

        assert 'name="learning_rate" value="0.003"' in text
        assert '<option value="rnn" selected>rnn</option>' in text

    def test_another_agents_run_or_a_bad_id_changes_nothing(
        self, boss: Client, agent: Agent, sweep: Sweep
    ) -> None:
        other = Agent.objects.create(name="spare", tenant="north")
        best = sweep.trials.get(trial=1)
        for wanted, of in ((str(best.pk), other), ("nonsense", agent)):
            text = text_of(boss.get(f"{AGENTS}{of.pk}/start/?from={wanted}"))
            assert 'name="learning_rate" value="0.002"' in text

    def test_a_range_test_is_started_beside_the_form(self, boss: Client, agent: Agent) -> None:
        boss.post(f"{AGENTS}{agent.pk}/start/", start_values(width=32, do="range"))

        run = TrainingRun.objects.get()
        assert (run.purpose, run.config, run.publish) == (Purpose.RANGE_TEST, {"width": 32}, False)

    def test_its_page_plots_the_curve_and_offers_the_rate(self, boss: Client, agent: Agent) -> None:
        run = TrainingRun.objects.create(
            agent=agent,
            purpose=Purpose.RANGE_TEST,
            status=RunStatus.SUCCEEDED,
            config={"width": 32},
            report={"points": [[1e-5, 0.7], [1e-3, 0.4], [0.1, 2.0]], "suggested": 0.00123},
        )
        answer = boss.get(f"{RUNS}{run.pk}/change/")
        text = text_of(answer)

        assert "Learning-rate range test of spare" in text
        assert "Suggested: 0.00123" in text
        assert '<svg class="crm-svg"' in text
        assert inline_parts(answer) == []
        begun = text_of(boss.get(f"{AGENTS}{agent.pk}/start/?from={run.pk}"))
        assert 'name="learning_rate" value="0.00123"' in begun
        assert 'name="width" value="32"' in begun

    def test_the_form_is_downloaded_as_yaml(self, boss: Client, agent: Agent) -> None:
        answer = boss.post(f"{AGENTS}{agent.pk}/start/", start_values(epochs=3, do="yaml"))

        assert answer["Content-Disposition"] == 'attachment; filename="spare.yaml"'
        found = yaml.safe_load(answer.content)
        assert (found["epochs"], found["backbone"], found["width"]) == (3, "rnn", 64)
        assert TrainingRun.objects.count() == 0

    def test_a_version_of_another_shape_is_no_start(
        self, boss: Client, agent: Agent, version: ModelVersion, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        shape = {"backbone": "rnn", "width": 32, "layers": 2, "heads": 2}
        monkeypatch.setattr("crm_agents.admin.forms.shape_of", lambda version: shape)
        runs = TrainingRun.objects.count()
        values = start_values(start=str(version.pk))
        refused = text_of(boss.post(f"{AGENTS}{agent.pk}/start/", values))
        assert "Width is 64, but spare v" in refused
        assert TrainingRun.objects.count() == runs
        boss.post(f"{AGENTS}{agent.pk}/start/", {**values, "width": 32})
        run = TrainingRun.objects.get(status=RunStatus.QUEUED)
        assert run.config == {"width": 32, "start": str(version.pk)}

    def test_a_path_is_no_start(self, boss: Client, agent: Agent) -> None:
        text = text_of(boss.post(f"{AGENTS}{agent.pk}/start/", start_values(start="/etc")))
        assert "Select a valid choice. /etc is not one of the available choices." in text
        assert TrainingRun.objects.count() == 0


class TestSettings:
    @pytest.fixture
    def keeper(self, db: None) -> Client:
        return signed_in(staff("keeper", "view_scores", "manage_agents"))

    def values(self, **changed: object) -> dict[str, object]:
        return {name: value for name, value in start_values(**changed).items() if name != "publish"}

    def test_they_are_kept_with_the_agent_and_audited(self, keeper: Client, agent: Agent) -> None:
        agent.config = {"epochs": 4, "excluded": ["country"]}
        agent.save()
        shown = keeper.get(f"{AGENTS}{agent.pk}/settings/")
        assert 'name="epochs" value="4"' in text_of(shown)
        assert inline_parts(shown) == []
        keeper.post(f"{AGENTS}{agent.pk}/settings/", self.values(epochs=6, dropout=0.2))

        agent.refresh_from_db()
        assert agent.config == {"excluded": ["country"], "dropout": 0.2}
        entry = AuditEntry.objects.get()
        assert (entry.action, entry.detail) == (
            "settings.changed",
            {"changed": {"dropout": [None, 0.2], "epochs": [4, None]}},
        )

    def test_what_changes_nothing_leaves_no_trace(self, keeper: Client, agent: Agent) -> None:
        keeper.post(f"{AGENTS}{agent.pk}/settings/", self.values())

        agent.refresh_from_db()
        assert (agent.config, AuditEntry.objects.count()) == ({}, 0)

    def test_a_bad_value_is_named(self, keeper: Client, agent: Agent) -> None:
        answer = keeper.post(f"{AGENTS}{agent.pk}/settings/", self.values(heads=3))

        assert "width 64 must be a multiple of heads 3." in text_of(answer)
        agent.refresh_from_db()
        assert agent.config == {}

    def test_it_needs_the_permission(self, viewer: Client, agent: Agent) -> None:
        assert viewer.get(f"{AGENTS}{agent.pk}/settings/").status_code == 403
        assert viewer.post(f"{AGENTS}{agent.pk}/settings/", self.values(epochs=2)).status_code == 403
        agent.refresh_from_db()
        assert agent.config == {}
