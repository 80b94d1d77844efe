"""The pages work on whichever admin site they are registered, and stay on it."""

from collections.abc import Iterator

import pytest
from django.contrib import admin
from django.test import Client
from django.urls import clear_url_caches, path

from crm_agents.admin import AgentAdmin, ModelVersionAdmin, ScoringRunAdmin, TrainingRunAdmin
from crm_agents.models import Agent, ModelVersion, ScoringRun, TrainingRun
from tests.crm_agents_admin.support import signed_in, staff, text_of

second = admin.AdminSite(name="back-office")
for model, its_admin in (
    (Agent, AgentAdmin),
    (TrainingRun, TrainingRunAdmin),
    (ModelVersion, ModelVersionAdmin),
    (ScoringRun, ScoringRunAdmin),
):
    second.register(model, its_admin)

urlpatterns = [path("admin/", admin.site.urls), path("office/", second.urls)]


@pytest.fixture
def office(db: None, settings: object) -> Iterator[Client]:
    settings.ROOT_URLCONF = __name__  # type: ignore[attr-defined]
    clear_url_caches()
    yield signed_in(staff("boss", "view_scores", "manage_runs", "promote_version"))
    clear_url_caches()


@pytest.mark.parametrize("site", ["admin", "office"])
def test_every_link_stays_on_the_site_it_is_on(
    office: Client, agent: Agent, live: ScoringRun, run: TrainingRun, site: str
) -> None:
    other = "office" if site == "admin" else "admin"
    pages = [
        "agent/",
        f"agent/{agent.pk}/change/",
        f"agent/{agent.pk}/start/",
        "trainingrun/",
        f"trainingrun/{run.pk}/change/",
        f"trainingrun/{run.pk}/cancel/",
        f"modelversion/{live.version_id}/change/",
        f"scoringrun/{live.pk}/change/",
    ]
    for page in pages:
        answer = office.get(f"/{site}/crm_agents/{page}")
        assert answer.status_code == 200, page
        text = text_of(answer)
        assert f'"/{site}/' in text
        assert f'"/{other}/' not in text, page


def test_after_a_write_one_is_still_on_the_same_site(office: Client, run: TrainingRun) -> None:
    answer = office.post(f"/office/crm_agents/trainingrun/{run.pk}/cancel/")

    assert answer["Location"] == f"/office/crm_agents/trainingrun/{run.pk}/change/"


def test_the_configured_site_has_them_all() -> None:
    from crm_agents.models import AuditEntry, Feedback

    ours = (Agent, TrainingRun, ModelVersion, ScoringRun, AuditEntry, Feedback)
    assert [model for model in ours if not admin.site.is_registered(model)] == []
