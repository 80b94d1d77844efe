"""Runs: the list, the page that follows one, its JSON, and cancelling."""

import json
import re
from pathlib import Path

from django.test import Client
from django.utils import timezone
from pytest_django.fixtures import DjangoAssertNumQueries

from crm_agents.models import Agent, AuditEntry, ModelVersion, Purpose, RunStatus, TrainingRun
from tests.crm_agents_admin.support import inline_parts, staff, text_of

LIST = "/admin/crm_agents/trainingrun/"


def page(run: TrainingRun) -> str:
    return f"{LIST}{run.pk}/change/"


class TestList:
    def test_it_filters_by_status(self, viewer: Client, agent: Agent, run: TrainingRun) -> None:
        failed = TrainingRun.objects.create(agent=agent, status=RunStatus.FAILED)
        text = text_of(viewer.get(f"{LIST}?status__exact=failed"))

        assert str(failed.pk) in text
        assert str(run.pk) not in text

    def test_it_filters_by_agent_and_finds_by_error(self, viewer: Client, agent: Agent) -> None:
        other = Agent.objects.create(name="spare", tenant="north")
        mine = TrainingRun.objects.create(agent=agent, status=RunStatus.FAILED, error="The disk is full.")
        theirs = TrainingRun.objects.create(agent=other, status=RunStatus.FAILED, error="No torch.")

        by_agent = text_of(viewer.get(f"{LIST}?agent__id__exact={agent.pk}"))
        by_error = text_of(viewer.get(f"{LIST}?q=torch"))
        assert (str(mine.pk) in by_agent, str(theirs.pk) in by_agent) == (True, False)
        assert (str(mine.pk) in by_error, str(theirs.pk) in by_error) == (False, True)

    def test_more_runs_need_no_more_queries(
        self, viewer: Client, agent: Agent, django_assert_max_num_queries: DjangoAssertNumQueries
    ) -> None:
        users = [staff(f"starter{number}") for number in range(4)]
        TrainingRun.objects.bulk_create(
            TrainingRun(agent=agent, status=RunStatus.FAILED, started_by=users[number % 4])
            for number in range(40)
        )

        with django_assert_max_num_queries(8):
            viewer.get(LIST)

    def test_a_stranger_is_refused(self, stranger: Client, run: TrainingRun) -> None:
        assert stranger.get(LIST).status_code == 403
        assert stranger.get(page(run)).status_code == 403
        assert stranger.get(f"{LIST}{run.pk}/progress/").status_code == 403


class TestPage:
    def test_an_ended_check_has_no_empty_places_for_losses(self, viewer: Client, agent: Agent) -> None:
        run = TrainingRun.objects.create(
            agent=agent,
            purpose=Purpose.INSPECT,
            status=RunStatus.SUCCEEDED,
            progress={"phase": "preparing", "step": 4, "of": 4},
        )
        text = text_of(viewer.get(page(run)))

        assert "4 of 4" in text
        assert not [word for word in ("Loss", "Last measured", "crm-sparkline") if word in text]

    def test_a_run_at_work_shows_how_far_it_is(self, viewer: Client, run: TrainingRun) -> None:
        answer = viewer.get(page(run))
        text = text_of(answer)

        assert '<progress class="crm-progress" max="100" value="30"' in text
        assert '<dd data-text="phase_text">fine-tuning</dd>' in text
        assert '<dd data-text="step_text">3 of 10</dd>' in text
        assert '<dd data-text="loss_text">0.6123</dd>' in text
        assert '<dd data-text="started_text">Sept. 9, 2011, noon</dd>' in text
        assert '<dd data-text="attempts_text">1</dd>' in text
        assert '<dd data-text="eta_text">2 min 5 s</dd>' in text
        assert "<dt>ROC-AUC</dt><dd>0.7800</dd>" in text
        assert '<pre class="crm-log" tabindex="0" data-text="log">epoch 1 done</pre>' in text
        assert '<li data-stage="training" data-state="now" aria-current="step">training</li>' in text
        assert inline_parts(answer) == []

    def test_it_follows_the_run_with_and_without_scripts(self, viewer: Client, run: TrainingRun) -> None:
        text = text_of(viewer.get(page(run)))

        assert '<noscript><meta http-equiv="refresh" content="5"></noscript>' in text
        assert f'id="crm-run" data-url="{LIST}{run.pk}/progress/"' in text
        assert "crm_agents/run.js" in text

    def test_a_run_that_has_ended_is_not_followed(self, viewer: Client, version: ModelVersion) -> None:
        text = text_of(viewer.get(page(version.run)))

        assert 'http-equiv="refresh"' not in text
        assert "run.js" not in text
        assert "Cancel the run" not in text
        assert (
            f'<a href="/admin/crm_agents/modelversion/{version.pk}/change/">spare v1</a> '
            '<span class="crm-badge crm-badge--good">gate passed</span>'
        ) in text

    def test_a_failure_is_shown_in_words(self, viewer: Client, agent: Agent) -> None:
        run = TrainingRun.objects.create(
            agent=agent, status=RunStatus.FAILED, error="The disk is full.\nFree <some> space."
        )

        assert "<p>The disk is full.<br>Free &lt;some&gt; space.</p>" in text_of(viewer.get(page(run)))

    def test_missing_data_is_listed(self, viewer: Client, agent: Agent) -> None:
        run = TrainingRun.objects.create(
            agent=agent,
            status=RunStatus.NOT_ENOUGH_DATA,
            missing=[{"code": "customers", "have": 1, "need": 50}, {"code": "days", "have": 3, "need": 1180}],
        )

        assert (
            "<ul><li>1 customer with purchases; at least 50 are needed.</li>"
            "<li>3 days of purchase history; at least 1,180 are needed.</li></ul>"
        ) in text_of(viewer.get(page(run)))

    def test_what_holds_up_a_queued_run_is_told(self, viewer: Client, agent: Agent) -> None:
        run = TrainingRun.objects.create(agent=agent, notice="The queue cannot be reached.")

        assert "data-notice><p>The queue cannot be reached.</p>" in text_of(viewer.get(page(run)))

    def test_an_unknown_run_is_not_found(self, viewer: Client, agent: Agent) -> None:
        assert viewer.get(f"{LIST}5a0c0a34-0000-4000-8000-000000000000/change/").status_code == 404
        assert viewer.get(f"{LIST}nonsense/change/").status_code == 404

    def test_its_queries_are_bounded(
        self, viewer: Client, run: TrainingRun, django_assert_max_num_queries: DjangoAssertNumQueries
    ) -> None:
        with django_assert_max_num_queries(7):
            viewer.get(page(run))


class TestProgress:
    def test_the_json_says_everything_that_the_page_shows(
        self, viewer: Client, run: TrainingRun, agents_root: Path
    ) -> None:
        folder = agents_root / "runs" / str(run.pk)
        folder.mkdir(parents=True)
        lines = [
            {"phase": "pretraining", "loss": 9.0},
            {"phase": "training", "loss": 3.0},
            {"phase": "training", "loss": None},
            {"phase": "training", "loss": 1.0},
        ]
        written = "".join(json.dumps(line) + "\n" for line in lines)
        # Killed in the middle of a line, started again, and in the middle of one again.
        (folder / "progress.jsonl").write_text('{"phase": "tr' + "\n" + written + '{"phase": "training", "lo')

        state = viewer.get(f"{LIST}{run.pk}/progress/").json()
        assert re.fullmatch(r"\d{6,} h \d{1,2} min", state.pop("took_text"))  # since 2011
        assert state == {
            "id": str(run.pk),
            "status": "training",
            "status_text": "training",
            "tone": "calm",
            "active": True,
            "cancel_requested": False,
            "stages": [
                {"name": "queued", "label": "queued", "state": "done"},
                {"name": "preparing", "label": "preparing", "state": "done"},
                {"name": "training", "label": "training", "state": "now"},
                {"name": "evaluating", "label": "evaluating", "state": "later"},
            ],
            "phase": "training",
            "phase_text": "fine-tuning",
            "step": 3,
            "of": 10,
            "step_text": "3 of 10",
            "percent": 30,
            "loss": 0.6123,
            "loss_text": "0.6123",
            "eta_seconds": 125.0,
            "eta_text": "2 min 5 s",
            "metrics": [{"name": "roc_auc", "label": "ROC-AUC", "text": "0.7800"}],
            "sparkline": "0.0,2.0 300.0,58.0",
            "started_text": "Sept. 9, 2011, noon",
            "attempts_text": "1",
            "notice": "",
            "log": "epoch 1 done",
        }

    def test_metrics_stay_until_newer_ones_are_measured(
        self, viewer: Client, run: TrainingRun, agents_root: Path
    ) -> None:
        TrainingRun.objects.filter(pk=run.pk).update(progress={"phase": "training", "step": 5, "of": 10})
        folder = agents_root / "runs" / str(run.pk)
        folder.mkdir(parents=True)
        lines = [{"metrics": {"brier": 0.3}}, {"metrics": {"brier": 0.2}}, {"loss": 1.0, "metrics": {}}]
        (folder / "progress.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))

        assert viewer.get(f"{LIST}{run.pk}/progress/").json()["metrics"] == [
            {"name": "brier", "label": "Brier score", "text": "0.2000"}
        ]

    def test_a_run_that_has_not_begun_has_nothing_to_say_yet(self, viewer: Client, agent: Agent) -> None:
        run = TrainingRun.objects.create(agent=agent)
        state = viewer.get(f"{LIST}{run.pk}/progress/").json()

        assert (state["active"], state["percent"], state["step_text"], state["sparkline"]) == (
            True,
            0,
            "",
            "",
        )
        assert (state["started_text"], state["took_text"], state["attempts_text"]) == ("–", "–", "0")

    def test_an_ended_run_is_not_active(self, viewer: Client, version: ModelVersion) -> None:
        state = viewer.get(f"{LIST}{version.run_id}/progress/").json()

        assert (state["active"], state["stages"], state["tone"]) == (False, [], "good")

    def test_asking_again_and_again_is_cheap(
        self, viewer: Client, run: TrainingRun, django_assert_max_num_queries: DjangoAssertNumQueries
    ) -> None:
        with django_assert_max_num_queries(5):
            viewer.get(f"{LIST}{run.pk}/progress/")


class TestCancel:
    def test_it_asks_first(self, boss: Client, run: TrainingRun) -> None:
        answer = boss.get(f"{LIST}{run.pk}/cancel/")

        assert "Cancel this run?" in text_of(answer)
        assert inline_parts(answer) == []
        run.refresh_from_db()
        assert run.cancel_requested is False

    def test_a_run_at_work_is_asked_to_stop(self, boss: Client, run: TrainingRun) -> None:
        answer = boss.post(f"{LIST}{run.pk}/cancel/", follow=True)

        run.refresh_from_db()
        assert (run.status, run.cancel_requested) == ("training", True)
        assert AuditEntry.objects.get().action == "run.cancelled"
        text = text_of(answer)
        assert '<span class="crm-badge crm-badge--warn">being cancelled</span>' in text
        assert "Cancel the run" not in text

    def test_a_queued_run_ends_at_once(self, boss: Client, agent: Agent) -> None:
        run = TrainingRun.objects.create(agent=agent)
        boss.post(f"{LIST}{run.pk}/cancel/")

        run.refresh_from_db()
        assert run.status == "cancelled"

    def test_a_run_that_has_ended_stays_as_it_is(self, boss: Client, version: ModelVersion) -> None:
        answer = boss.post(f"{LIST}{version.run_id}/cancel/", follow=True)

        assert "This run has ended already, so there is nothing to cancel." in text_of(answer)
        version.run.refresh_from_db()
        assert (version.run.status, version.run.cancel_requested) == ("succeeded", False)
        assert AuditEntry.objects.count() == 0

    def test_it_needs_the_permission(self, viewer: Client, run: TrainingRun) -> None:
        assert "Cancel the run" not in text_of(viewer.get(page(run)))
        assert viewer.get(f"{LIST}{run.pk}/cancel/").status_code == 403
        assert viewer.post(f"{LIST}{run.pk}/cancel/").status_code == 403
        run.refresh_from_db()
        assert run.cancel_requested is False


def test_a_long_run_reads_only_the_end_of_its_progress(
    viewer: Client, run: TrainingRun, agents_root: Path
) -> None:
    folder = agents_root / "runs" / str(run.pk)
    folder.mkdir(parents=True)
    with (folder / "progress.jsonl").open("w") as file:
        for step in range(20_000):
            file.write(json.dumps({"phase": "training", "step": step, "loss": 1.0 / (step + 1)}) + "\n")
    begun = timezone.now()
    points = viewer.get(f"{LIST}{run.pk}/progress/").json()["sparkline"].split(" ")

    assert 100 < len(points) <= 150
    assert points[-1] == "300.0,58.0"
    assert (timezone.now() - begun).total_seconds() < 2
