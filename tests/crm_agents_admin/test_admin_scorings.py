"""Scorings: the list and one scoring's shards."""

import pytest
from django.test import Client
from pytest_django.fixtures import DjangoAssertNumQueries

from crm_agents.models import AuditEntry, RunStatus, ScoringRun, ScoringShard
from tests.crm_agents_admin.support import inline_parts, text_of

LIST = "/admin/crm_agents/scoringrun/"


def test_the_list_shows_what_readers_see(viewer: Client, live: ScoringRun) -> None:
    text = text_of(viewer.get(LIST))

    assert '<td class="field-readers"><span class="crm-badge crm-badge--good">live</span></td>' in text
    assert '<td class="field-customers">4,311</td>' in text


def test_a_page_shows_each_shard_and_its_error(viewer: Client, live: ScoringRun) -> None:
    ScoringShard.objects.create(scoring=live, shard=0, rows=2_000, status=RunStatus.SUCCEEDED, attempts=1)
    ScoringShard.objects.create(
        scoring=live, shard=1, status=RunStatus.FAILED, attempts=3, error="No memory."
    )
    answer = viewer.get(f"{LIST}{live.pk}/change/")
    text = text_of(answer)

    assert '<progress class="crm-progress" max="2" value="1"' in text
    assert "<p>1 of 2 shards</p>" in text
    assert (
        '<th scope="row">1</th><td><span class="crm-badge crm-badge--bad">failed</span></td>'
        '<td class="crm-figure">0</td><td class="crm-figure">3</td><td class="crm-words">No memory.</td>'
    ) in text
    assert inline_parts(answer) == []


def test_many_shards_need_no_more_queries(
    viewer: Client, live: ScoringRun, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    ScoringShard.objects.bulk_create(ScoringShard(scoring=live, shard=number) for number in range(64))

    with django_assert_max_num_queries(6):
        viewer.get(f"{LIST}{live.pk}/change/")


def test_nobody_edits_a_scoring(boss: Client, live: ScoringRun) -> None:
    assert boss.post(f"{LIST}{live.pk}/change/", {"rows": 1}).status_code == 405
    assert boss.post(f"{LIST}{live.pk}/delete/", {"post": "yes"}).status_code == 403
    live.refresh_from_db()
    assert live.rows == 4_311


def test_a_stranger_is_refused(stranger: Client, live: ScoringRun) -> None:
    assert stranger.get(LIST).status_code == 403
    assert stranger.get(f"{LIST}{live.pk}/change/").status_code == 403


class TestCancel:
    @pytest.fixture
    def going_on(self, live: ScoringRun) -> ScoringRun:
        """A second scoring, of one shard, that is still queued."""
        scoring = ScoringRun.objects.create(
            agent=live.agent, version=live.version, snapshot=live.snapshot, as_of=live.as_of
        )
        ScoringShard.objects.create(scoring=scoring, shard=0)
        return scoring

    def test_while_it_goes_on_the_page_renews_itself_and_offers_to_cancel(
        self, boss: Client, viewer: Client, going_on: ScoringRun
    ) -> None:
        page = f"{LIST}{going_on.pk}/change/"

        assert '<meta http-equiv="refresh" content="5">' in text_of(viewer.get(page))
        assert "Cancel the scoring" not in text_of(viewer.get(page))
        assert f'href="{LIST}{going_on.pk}/cancel/">Cancel the scoring</a>' in text_of(boss.get(page))

    def test_it_asks_first_and_then_ends_it(
        self, boss: Client, going_on: ScoringRun, live: ScoringRun
    ) -> None:
        assert "Cancel this scoring?" in text_of(boss.get(f"{LIST}{going_on.pk}/cancel/"))
        going_on.refresh_from_db()
        assert going_on.status == "queued"

        boss.post(f"{LIST}{going_on.pk}/cancel/")

        going_on.refresh_from_db()
        assert (going_on.status, going_on.shards.get().status) == ("cancelled", "cancelled")
        assert AuditEntry.objects.get().action == "scoring.cancelled"
        going_on.agent.refresh_from_db()
        assert going_on.agent.live_scoring_id == live.pk

    def test_an_ended_scoring_stays_as_it_is(self, boss: Client, live: ScoringRun) -> None:
        answer = boss.post(f"{LIST}{live.pk}/cancel/", follow=True)

        assert "This scoring has ended already, so there is nothing to cancel." in text_of(answer)
        live.refresh_from_db()
        assert live.status == "succeeded"

    def test_it_needs_the_permission(self, viewer: Client, going_on: ScoringRun) -> None:
        assert viewer.post(f"{LIST}{going_on.pk}/cancel/").status_code == 403
        going_on.refresh_from_db()
        assert going_on.status == "queued"
