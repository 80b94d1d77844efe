"""Versions: the list, the model card, its JSON, and promoting."""

from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from pytest_django.fixtures import DjangoAssertNumQueries

from crm_agents.models import Agent, AuditEntry, ModelVersion, ScoringRun
from crm_data.models import Snapshot
from tests.crm_agents_admin.support import (
    BEATEN,
    EVALUATION,
    inline_parts,
    make_version,
    text_of,
    write_artifact_config,
)

LIST = "/admin/crm_agents/modelversion/"
FAILED: dict[str, Any] = {
    "verdict": "failed",
    "verdict_reasons": [{**BEATEN, "model": 0.7, "passed": False}],
}
ENOUGH = "ROC-AUC 0.7812 beats 0.7071 (Best “no purchase for N days” rule); needed: at least 0.7212."
TOO_LOW = (
    "ROC-AUC 0.7000 is not enough to beat 0.7071 (Best “no purchase for N days” rule); "
    "needed: at least 0.7212."
)


def page(version: ModelVersion) -> str:
    return f"{LIST}{version.pk}/change/"


@pytest.fixture
def failed(agent: Agent, snapshot: Snapshot) -> ModelVersion:
    return make_version(agent, snapshot, number=2, **FAILED)


@pytest.fixture
def scorable(agents_root: Path, snapshot: Snapshot) -> None:
    folder = agents_root / snapshot.folder
    folder.mkdir(parents=True)
    (folder / "manifest.json").write_text('{"last_event": "2011-09-09T00:00:00+00:00"}')


class TestList:
    def test_it_shows_gate_live_and_the_metric_of_the_gate(self, viewer: Client, live: ScoringRun) -> None:
        text = text_of(viewer.get(LIST))

        assert '<span class="crm-badge crm-badge--good">gate passed</span>' in text
        assert '<td class="field-is_live"><span class="crm-badge crm-badge--good">live</span></td>' in text
        assert '<td class="field-metric">ROC-AUC 0.7812</td>' in text

    def test_it_filters_by_verdict(self, viewer: Client, version: ModelVersion, failed: ModelVersion) -> None:
        text = text_of(viewer.get(f"{LIST}?verdict__exact=failed"))

        assert "spare v2" in text
        assert "spare v1" not in text

    def test_more_versions_need_no_more_queries(
        self,
        viewer: Client,
        agent: Agent,
        snapshot: Snapshot,
        django_assert_max_num_queries: DjangoAssertNumQueries,
    ) -> None:
        for number in range(1, 21):
            make_version(agent, snapshot, number=number)

        with django_assert_max_num_queries(8):
            viewer.get(LIST)

    def test_a_stranger_is_refused(self, stranger: Client, version: ModelVersion) -> None:
        assert stranger.get(LIST).status_code == 403
        assert stranger.get(page(version)).status_code == 403
        assert stranger.get(f"{LIST}{version.pk}/model-card.json").status_code == 403


class TestModelCard:
    def test_it_begins_with_the_verdict_and_its_reason(self, viewer: Client, failed: ModelVersion) -> None:
        text = text_of(viewer.get(page(failed)))

        assert '<span class="crm-badge crm-badge--bad">gate failed</span>' in text
        assert f"<ul><li>{TOO_LOW}</li></ul>" in text

    def test_it_sets_the_model_beside_every_baseline(self, viewer: Client, version: ModelVersion) -> None:
        text = text_of(viewer.get(page(version)))

        assert (
            '<th scope="row">ROC-AUC</th>'
            '<td class="crm-figure crm-best">0.7812<span class="visually-hidden"> (best)</span></td>'
            '<td class="crm-figure">0.7071</td><td class="crm-figure">0.5000</td>'
        ) in text
        assert (
            '<th scope="row">Brier score</th>'
            '<td class="crm-figure crm-best">0.1985<span class="visually-hidden"> (best)</span></td>'
            '<td class="crm-figure">0.2241</td><td class="crm-figure">0.2460</td>'
        ) in text
        assert (
            '<th scope="row">Days of the rule</th><td class="crm-figure">–</td>'
            '<td class="crm-figure">74</td><td class="crm-figure">–</td>'
        ) in text
        assert "Validation window, used to stop and to choose" in text

    def test_it_names_windows_counts_and_hashes(self, viewer: Client, version: ModelVersion) -> None:
        text = text_of(viewer.get(page(version)))

        assert (
            '<th scope="row">Test</th><td>June 11, 2011</td><td>Sept. 9, 2011</td>'
            '<td class="crm-figure">4,300</td>'
        ) in text
        assert "a1" * 32 in text
        assert "b2" * 32 in text

    def test_it_draws_every_plot_that_there_are_figures_for(
        self, viewer: Client, version: ModelVersion
    ) -> None:
        answer = viewer.get(page(version))
        text = text_of(answer)

        drawn = [
            name
            for name in (
                "metric-1",
                "metric-2",
                "learning-loss",
                "learning-metric",
                "roc",
                "precision-recall",
                "calibration",
                "histogram",
                "confusion",
            )
            if f'<title id="{name}-title">' in text
        ]
        assert len(drawn) == 9
        assert inline_parts(answer) == []

    def test_an_empty_evaluation_is_a_page_all_the_same(
        self, viewer: Client, agent: Agent, snapshot: Snapshot
    ) -> None:
        bare = make_version(agent, snapshot, number=3, evaluation={})
        answer = viewer.get(page(bare))

        assert answer.status_code == 200
        assert "This version has no evaluation." in text_of(answer)

    def test_what_could_not_be_measured_is_a_dash(
        self, viewer: Client, agent: Agent, snapshot: Snapshot
    ) -> None:
        curves: dict[str, object] = {
            "learning": [],
            "roc": [],
            "pr": [],
            "calibration": [],
            "histogram": [],
            "confusion": None,
        }
        metrics = {"model": {"roc_auc": None, "brier": 0.2}, "baselines": {"base_rate": {"roc_auc": 0.5}}}
        thin = make_version(agent, snapshot, number=4, evaluation={"metrics": metrics, "curves": curves})
        text = text_of(viewer.get(page(thin)))

        assert (
            '<th scope="row">ROC-AUC</th><td class="crm-figure">–</td><td class="crm-figure crm-best">0.5000'
        ) in text
        assert "<figure" not in text

    def test_the_configuration_comes_from_the_artifact(
        self, viewer: Client, version: ModelVersion, agents_root: Path
    ) -> None:
        write_artifact_config(agents_root, version, '{"backbone": "cnn", "dataset": "/secret/place"}')
        text = text_of(viewer.get(page(version)))

        assert "<dt><code>backbone</code></dt><dd>cnn</dd>" in text
        assert "/secret/place" not in text

    def test_without_the_artifact_it_is_what_was_asked_for(
        self, viewer: Client, version: ModelVersion
    ) -> None:
        assert "<dt><code>epochs</code></dt><dd>6</dd>" in text_of(viewer.get(page(version)))

    def test_it_downloads_as_json(self, viewer: Client, version: ModelVersion, agents_root: Path) -> None:
        write_artifact_config(agents_root, version, '{"backbone": "cnn"}')
        answer = viewer.get(f"{LIST}{version.pk}/model-card.json")

        assert answer["Content-Disposition"] == 'attachment; filename="spare-v1-model-card.json"'
        assert answer.json() == {
            "agent": "spare",
            "tenant": "",
            "version": 1,
            "created_at": "2011-09-09T12:00:00+00:00",
            "live": False,
            "gate": {"verdict": "passed", "comparisons": [{**BEATEN, "text": ENOUGH}]},
            "data": {
                "sha256": "a1" * 32,
                "watermark": "2011-09-09T12:00:00+00:00",
                "events": 779_425,
                "customers": 5_878,
                "products": 4_619,
            },
            "artifact": {"folder": "spare/1", "sha256": "b2" * 32},
            "config": {"backbone": "cnn"},
            "evaluation": EVALUATION,
        }

    def test_its_queries_are_bounded(
        self, viewer: Client, version: ModelVersion, django_assert_max_num_queries: DjangoAssertNumQueries
    ) -> None:
        with django_assert_max_num_queries(7):
            viewer.get(page(version))


class TestPromote:
    @pytest.mark.usefixtures("scorable")
    def test_a_version_that_passed_is_scored_and_goes_live_then(
        self, boss: Client, version: ModelVersion
    ) -> None:
        answer = boss.post(f"{LIST}{version.pk}/promote/", follow=True)

        scoring = ScoringRun.objects.get()
        assert (scoring.version_id, scoring.status) == (version.pk, "queued")
        assert "Spare v1 is scoring every customer, and goes live then." in text_of(answer)
        assert set(AuditEntry.objects.values_list("action", flat=True)) == {
            "version.promoted",
            "scoring.started",
        }

    def test_it_asks_first(self, boss: Client, version: ModelVersion) -> None:
        answer = boss.get(f"{LIST}{version.pk}/promote/")

        assert "Promote spare v1?" in text_of(answer)
        assert 'name="reason"' not in text_of(answer)
        assert inline_parts(answer) == []
        assert ScoringRun.objects.count() == 0

    @pytest.mark.usefixtures("scorable")
    def test_a_version_that_failed_needs_a_reason(self, boss: Client, failed: ModelVersion) -> None:
        asked = text_of(boss.get(f"{LIST}{failed.pk}/promote/"))
        answer = boss.post(f"{LIST}{failed.pk}/promote/", {"reason": "  "})

        assert TOO_LOW in asked
        assert "Promote all the same" in asked
        assert "Reason is empty; the gate was not passed, so say why this version should go live." in text_of(
            answer
        )
        assert ScoringRun.objects.count() == 0
        assert AuditEntry.objects.count() == 0

    @pytest.mark.usefixtures("scorable")
    def test_the_reason_is_kept_in_the_audit(self, boss: Client, failed: ModelVersion) -> None:
        boss.post(f"{LIST}{failed.pk}/promote/", {"reason": "A trial in one shop."})

        entry = AuditEntry.objects.get(action="version.promoted")
        assert entry.detail == {"override_reason": "A trial in one shop."}
        assert entry.user is not None
        assert entry.user.get_username() == "boss"
        assert ScoringRun.objects.get().version_id == failed.pk

    def test_with_the_data_gone_it_says_so_and_changes_nothing(
        self, boss: Client, version: ModelVersion
    ) -> None:
        answer = boss.post(f"{LIST}{version.pk}/promote/", follow=True)

        assert "manifest.json does not exist." in text_of(answer)
        assert ScoringRun.objects.count() == 0
        assert AuditEntry.objects.count() == 0

    def test_the_live_version_is_not_promoted_again(
        self, boss: Client, version: ModelVersion, live: ScoringRun
    ) -> None:
        answer = boss.post(f"{LIST}{version.pk}/promote/", follow=True)

        assert "Spare v1 is live already." in text_of(answer)
        assert AuditEntry.objects.count() == 0
        assert ">Promote</a>" not in text_of(boss.get(page(version)))

    def test_it_needs_the_permission(self, viewer: Client, version: ModelVersion) -> None:
        assert ">Promote</a>" not in text_of(viewer.get(page(version)))
        assert viewer.get(f"{LIST}{version.pk}/promote/").status_code == 403
        assert viewer.post(f"{LIST}{version.pk}/promote/").status_code == 403
        assert ScoringRun.objects.count() == 0
