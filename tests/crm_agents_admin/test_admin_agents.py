"""Agents: the list, the page, and what its buttons do."""

import json
from pathlib import Path

import pytest
from django.contrib.auth.models import User
from django.test import Client
from pytest_django.fixtures import DjangoAssertNumQueries

from crm_agents.models import Agent, AuditEntry, ModelVersion, RunStatus, ScoringRun, TrainingRun
from crm_data.models import Snapshot
from tests.crm_agents_admin.support import AT, inline_parts, make_version, signed_in, text_of

LIST = "/admin/crm_agents/agent/"


def page(agent: Agent) -> str:
    return f"{LIST}{agent.pk}/change/"


@pytest.mark.parametrize(
    "page_of", ["start", "settings", "tuning", "data", "experiments", "experiments/start"]
)
def test_every_page_of_an_agent_leads_back_to_it_by_its_title(agent: Agent, page_of: str) -> None:
    user = User.objects.create_superuser("chief")
    html = text_of(signed_in(user).get(f"{LIST}{agent.pk}/{page_of}/"))
    assert f'<a href="{page(agent)}">Spare agent</a>' in html


def write_manifest(root: Path, snapshot: Snapshot, **values: object) -> None:
    folder = root / snapshot.folder
    folder.mkdir(parents=True)
    manifest = {
        "schema_version": 1,
        "shards": 2,
        "currency": "GBP",
        "watermark": AT.isoformat(),
        "first_event": "2011-01-01T00:00:00+00:00",
        "last_event": "2011-09-09T00:00:00+00:00",
        "events": 900,
        "customers": 5_878,
        "products": 20,
        "kinds": {"purchase": 480, "return": 9},
        "code_version": "0",
        **values,
    }
    (folder / "manifest.json").write_text(json.dumps(manifest))


class TestList:
    def test_it_makes_and_shows_an_agent_for_every_recipe(self, viewer: Client) -> None:
        answer = viewer.get(LIST)

        assert Agent.objects.filter(name="spare", tenant="").count() == 1
        assert "Spare agent" in text_of(answer)
        assert "never run" in text_of(answer)

    def test_it_shows_what_is_live_and_how_the_last_run_ended(
        self, viewer: Client, live: ScoringRun, agent: Agent
    ) -> None:
        TrainingRun.objects.create(agent=agent, status=RunStatus.FAILED)
        text = text_of(viewer.get(LIST))

        assert 'v1 <span class="crm-badge crm-badge--good">gate passed</span>' in text
        assert '<span class="crm-badge crm-badge--bad">failed</span>' in text
        assert '<td class="field-scored">4,311</td>' in text

    def test_more_agents_need_no_more_queries(
        self, viewer: Client, agent: Agent, django_assert_max_num_queries: DjangoAssertNumQueries
    ) -> None:
        viewer.get(LIST)
        Agent.objects.bulk_create(Agent(name="spare", tenant=f"tenant-{number}") for number in range(30))

        with django_assert_max_num_queries(16):
            viewer.get(LIST)

    def test_a_stranger_is_refused(self, stranger: Client) -> None:
        assert stranger.get(LIST).status_code == 403
        assert Agent.objects.count() == 0


class TestPage:
    def test_it_says_what_the_agent_does_and_when_a_version_goes_live(
        self, viewer: Client, agent: Agent
    ) -> None:
        answer = viewer.get(page(agent))
        text = text_of(answer)

        assert "Warns of customers about to leave." in text
        assert (
            "A version goes live by itself when its ROC-AUC on the test window is at least 2 % better "
            "than that of each of these: Best “no purchase for N days” rule. "
            "It also needs Calibration error: at most 0.15."
        ) in text
        assert "Nothing is live yet: readers see no scores of this agent." in text
        assert "There is no snapshot yet. Starting a run builds one." in text
        assert inline_parts(answer) == []

    def test_it_compares_the_data_with_what_the_agent_needs(
        self, viewer: Client, agent: Agent, snapshot: Snapshot, agents_root: Path
    ) -> None:
        write_manifest(agents_root, snapshot)
        text = text_of(viewer.get(page(agent)))

        assert (
            '<th scope="row">Events of the outcome (purchase)</th><td class="crm-figure">500</td>'
            '<td class="crm-figure">480</td><td><span class="crm-badge crm-badge--warn">missing</span></td>'
        ) in text
        assert (
            '<th scope="row">Days of history</th><td class="crm-figure">210</td>'
            '<td class="crm-figure">251</td><td><span class="crm-badge crm-badge--good">met</span></td>'
        ) in text
        assert '<span class="crm-badge crm-badge--warn">not enough data</span>' in text

    def test_a_failed_scoring_is_told_until_one_succeeds(
        self, viewer: Client, agent: Agent, live: ScoringRun
    ) -> None:
        warning = "The newest scoring failed; readers go on seeing the scores before it."
        failed = ScoringRun.objects.create(
            agent=agent,
            version=live.version,
            snapshot=live.snapshot,
            as_of=live.as_of,
            status=RunStatus.FAILED,
        )
        text = text_of(viewer.get(page(agent)))
        assert warning in text
        assert f"/scoringrun/{failed.pk}/" in text

        failed.status = RunStatus.SUCCEEDED
        failed.save()
        assert warning not in text_of(viewer.get(page(agent)))

    def test_a_snapshot_whose_files_are_gone_is_said_so(
        self, viewer: Client, agent: Agent, snapshot: Snapshot
    ) -> None:
        assert "manifest.json does not exist." in text_of(viewer.get(page(agent)))

    def test_it_links_the_live_version_and_its_scores(
        self, viewer: Client, agent: Agent, live: ScoringRun
    ) -> None:
        text = text_of(viewer.get(page(agent)))

        assert f'<a href="/admin/crm_agents/modelversion/{live.version_id}/change/">v1</a>' in text
        assert f'<a href="/admin/crm_agents/scoringrun/{live.pk}/change/">4,311</a>' in text

    def test_who_may_only_look_gets_no_buttons(self, viewer: Client, agent: Agent, live: ScoringRun) -> None:
        text = text_of(viewer.get(page(agent)))

        assert "Start a run" not in text
        assert "Rescore" not in text
        assert "Roll back" not in text

    def test_who_may_do_everything_gets_every_button(
        self, boss: Client, agent: Agent, live: ScoringRun
    ) -> None:
        text = text_of(boss.get(page(agent)))

        assert f'<a class="crm-button" href="{LIST}{agent.pk}/start/">Start a run</a>' in text
        assert f'<form method="post" action="{LIST}{agent.pk}/rescore/">' in text
        assert "Roll back" not in text  # there is nothing before what is live

    def test_while_a_run_goes_on_it_is_linked_instead_of_started(
        self, boss: Client, agent: Agent, run: TrainingRun
    ) -> None:
        text = text_of(boss.get(page(agent)))

        assert f'<a href="/admin/crm_agents/trainingrun/{run.pk}/change/">Follow it</a>' in text
        assert "Start a run" not in text

    def test_an_agent_without_a_recipe_cannot_be_started(self, boss: Client) -> None:
        stray = Agent.objects.create(name="gone")
        text = text_of(boss.get(page(stray)))

        assert "No installed app registers this agent, so it cannot be started." in text
        assert "Start a run" not in text
        assert boss.post(f"{LIST}{stray.pk}/start/").status_code == 404

    def test_settings_of_the_agent_that_cannot_be_are_said_so(self, boss: Client, agent: Agent) -> None:
        agent.config = {"backbone": "abacus"}
        agent.save()

        assert "backbone is &#x27;abacus&#x27;; choose one of mf, cnn, rnn, transformer." in text_of(
            boss.get(page(agent))
        )

    def test_no_row_can_be_added_changed_or_deleted_by_hand(self, boss: Client, agent: Agent) -> None:
        assert boss.get(f"{LIST}add/").status_code == 403
        assert boss.get(f"{LIST}{agent.pk}/delete/").status_code == 403
        assert boss.post(page(agent), {"name": "other"}).status_code == 405
        assert boss.get(f"{LIST}999/change/").status_code == 404

    def test_its_queries_are_bounded(
        self,
        boss: Client,
        agent: Agent,
        live: ScoringRun,
        snapshot: Snapshot,
        django_assert_max_num_queries: DjangoAssertNumQueries,
    ) -> None:
        for number in range(2, 12):
            make_version(agent, snapshot, number=number)

        with django_assert_max_num_queries(17):
            boss.get(page(agent))


class TestStart:
    def values(self, **changed: object) -> dict[str, object]:
        return {
            "backbone": "rnn",
            "device": "auto",
            "publish": "on",
            "horizon_days": 90,
            "epochs": 6,
            "learning_rate": 0.002,
            "width": 64,
            "active_days": 365,
            "layers": 2,
            "heads": 2,
            "dropout": 0.1,
            "max_visits": 64,
            "pretrain_epochs": 1,
            "patience": 2,
            "refit_epochs": 0,
            "batch_size": 128,
            "weight_decay": 0.01,
            "seed": 0,
            "freeze_layers": 0,
            "lora_rank": 0,
            "warmup_share": 0.1,
            "accumulate": 1,
            "augment_crop": 0,
            "augment_mask": 0,
            "augment_reorder": 0,
            "augment_drop": 0,
            "label_weight": 1,
            "schedule": "cosine",
            "pretrain": "auto",
            "class_weight": "none",
            "precision": "auto",
            "start": "",
            "text_model": "",
            **changed,
        }

    def test_the_form_begins_with_the_agents_own_settings(self, boss: Client, agent: Agent) -> None:
        agent.config = {"epochs": 4}
        agent.save()
        answer = boss.get(f"{LIST}{agent.pk}/start/")
        text = text_of(answer)

        assert '<option value="rnn" selected>rnn</option>' in text
        assert 'name="epochs" value="4"' in text
        assert 'name="horizon_days" value="90"' in text
        assert inline_parts(answer) == []
        assert TrainingRun.objects.count() == 0

    def test_starting_makes_one_run_with_what_was_changed_and_one_audit_entry(
        self, boss: Client, agent: Agent
    ) -> None:
        answer = boss.post(f"{LIST}{agent.pk}/start/", self.values(epochs=3, publish=""))

        run = TrainingRun.objects.get()
        assert (run.status, run.config, run.publish) == ("queued", {"epochs": 3}, False)
        assert run.started_by is not None
        assert run.started_by.get_username() == "boss"
        assert answer["Location"] == f"/admin/crm_agents/trainingrun/{run.pk}/change/"
        assert list(AuditEntry.objects.values_list("action", "subject", "user__username")) == [
            ("run.started", str(run.pk), "boss")
        ]

    def test_a_second_start_leads_to_the_first_run(
        self, boss: Client, agent: Agent, run: TrainingRun
    ) -> None:
        answer = boss.post(f"{LIST}{agent.pk}/start/", self.values())

        assert answer["Location"] == f"/admin/crm_agents/trainingrun/{run.pk}/change/"
        assert TrainingRun.objects.count() == 1
        assert AuditEntry.objects.count() == 0

    @pytest.mark.parametrize(
        ("field", "value", "expected"),
        [
            ("epochs", 0, "Epochs is 0; choose at least 1."),
            ("epochs", "many", "Epochs must be a whole number."),
            ("epochs", "", "Epochs is empty; give a number."),
            ("learning_rate", 0, "Learning rate is 0.0; choose more than 0."),
            ("dropout", 1, "Dropout is 1.0; choose less than 1."),
            ("layers", 65, "Layers is 65; choose at most 64."),
            ("heads", 3, "width 64 must be a multiple of heads 3."),
        ],
    )
    def test_a_bad_value_is_named_with_its_remedy_and_starts_nothing(
        self, boss: Client, agent: Agent, field: str, value: object, expected: str
    ) -> None:
        answer = boss.post(f"{LIST}{agent.pk}/start/", self.values(**{field: value}))

        assert answer.status_code == 200
        assert expected in text_of(answer)
        assert TrainingRun.objects.count() == 0
        assert AuditEntry.objects.count() == 0

    def test_an_error_under_more_settings_opens_them(self, boss: Client, agent: Agent) -> None:
        assert "<details open>" in text_of(boss.post(f"{LIST}{agent.pk}/start/", self.values(layers=0)))
        assert "<details open>" not in text_of(boss.post(f"{LIST}{agent.pk}/start/", self.values(epochs=0)))

    def test_it_needs_the_permission(self, viewer: Client, agent: Agent) -> None:
        assert viewer.get(f"{LIST}{agent.pk}/start/").status_code == 403
        assert viewer.post(f"{LIST}{agent.pk}/start/", self.values()).status_code == 403
        assert TrainingRun.objects.count() == 0


class TestRescore:
    def test_it_is_a_write_and_so_a_post(self, boss: Client, agent: Agent, live: ScoringRun) -> None:
        answer = boss.get(f"{LIST}{agent.pk}/rescore/")

        assert (answer.status_code, answer["Allow"]) == (405, "POST")
        assert ScoringRun.objects.count() == 1

    def test_it_scores_anew_with_the_live_version(
        self, boss: Client, agent: Agent, live: ScoringRun, snapshot: Snapshot, agents_root: Path
    ) -> None:
        write_manifest(agents_root, snapshot)
        answer = boss.post(f"{LIST}{agent.pk}/rescore/")

        scoring = ScoringRun.objects.exclude(pk=live.pk).get()
        assert answer["Location"] == f"/admin/crm_agents/scoringrun/{scoring.pk}/change/"
        assert scoring.version_id == live.version_id
        assert scoring.shards.count() == 2
        agent.refresh_from_db()
        assert agent.live_scoring_id == live.pk

    def test_without_a_live_version_it_says_what_to_do(self, boss: Client, agent: Agent) -> None:
        answer = boss.post(f"{LIST}{agent.pk}/rescore/", follow=True)

        assert "Spare has no live version to score with." in text_of(answer)
        assert ScoringRun.objects.count() == 0

    def test_it_needs_the_permission(self, viewer: Client, agent: Agent, live: ScoringRun) -> None:
        assert viewer.post(f"{LIST}{agent.pk}/rescore/").status_code == 403
        assert ScoringRun.objects.count() == 1

    def test_it_needs_the_csrf_token(self, agent: Agent, live: ScoringRun, boss: Client) -> None:
        strict = Client(enforce_csrf_checks=True)
        strict.cookies = boss.cookies

        assert strict.post(f"{LIST}{agent.pk}/rescore/").status_code == 403
        assert ScoringRun.objects.count() == 1


class TestRollBack:
    @pytest.fixture
    def second(self, agent: Agent, live: ScoringRun, snapshot: Snapshot) -> ModelVersion:
        """A second version, live since the first."""
        version = make_version(agent, snapshot, number=2)
        scoring = ScoringRun.objects.create(
            agent=agent,
            version=version,
            snapshot=snapshot,
            as_of=AT,
            status=RunStatus.SUCCEEDED,
            published_at=AT,
        )
        Agent.objects.filter(pk=agent.pk).update(live_version=version, live_scoring=scoring)
        return version

    def test_it_asks_first(self, boss: Client, agent: Agent, second: ModelVersion) -> None:
        answer = boss.get(f"{LIST}{agent.pk}/roll-back/")

        assert "Roll back Spare agent to v1?" in text_of(answer)
        assert "Readers see the scores of v1, which were live before these, at once." in text_of(answer)
        assert f'href="{LIST}{agent.pk}/roll-back/">Roll back to v1</a>' in text_of(boss.get(page(agent)))
        assert inline_parts(answer) == []
        agent.refresh_from_db()
        assert agent.live_version_id == second.pk

    def test_it_shows_readers_the_scores_before(
        self, boss: Client, agent: Agent, live: ScoringRun, second: ModelVersion
    ) -> None:
        answer = boss.post(f"{LIST}{agent.pk}/roll-back/", follow=True)

        agent.refresh_from_db()
        assert (agent.live_version_id, agent.live_scoring_id) == (live.version_id, live.pk)
        assert "Spare v1 is live again." in text_of(answer)
        assert AuditEntry.objects.get().action == "version.rolled_back"

    def test_with_nothing_before_it_says_so(self, boss: Client, agent: Agent, live: ScoringRun) -> None:
        for ask in (boss.get, boss.post):
            answer = ask(f"{LIST}{agent.pk}/roll-back/", follow=True)
            assert "has no other version with scores to roll back to." in text_of(answer)
        agent.refresh_from_db()
        assert agent.live_scoring_id == live.pk

    def test_it_needs_the_permission(self, viewer: Client, agent: Agent, second: ModelVersion) -> None:
        assert viewer.get(f"{LIST}{agent.pk}/roll-back/").status_code == 403
        assert viewer.post(f"{LIST}{agent.pk}/roll-back/").status_code == 403
        agent.refresh_from_db()
        assert agent.live_version_id == second.pk
