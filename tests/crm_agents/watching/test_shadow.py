import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from crm_agents.models import Agent, AuditEntry, Kept, ModelVersion, RunStatus, ScoringRun
from crm_agents.selectors import live_scores, published_scorings, scoring_before, shadow_scoring
from crm_agents.services.execution import execute_run
from crm_agents.services.publishing import promote_version, roll_back
from crm_agents.services.rescoring import score_live_agents
from crm_agents.services.retention import delete_old_scores
from crm_agents.services.runs import start_run
from crm_agents.services.scoring import ScoringAlreadyActive, start_scoring
from crm_agents.services.shadowing import IsLive, NoShadow, end_shadow, shadow_version
from recommender.models import RecommendationSet
from tests.crm_agents.watching.support import Stub, score

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def live(agent: Agent, shop: None, woken: list[str], stub: Stub) -> Agent:
    """Version 1 is live with a score of 0.5 for everybody; version 2 waits, unscored."""
    execute_run(start_run(agent).pk)
    score(ScoringRun.objects.get())
    execute_run(start_run(agent, publish=False).pk)
    stub(scores=0.9)
    return agent


@pytest.fixture
def second(live: Agent) -> ModelVersion:
    return ModelVersion.objects.get(number=2)


def read(agent: Agent) -> set[float | None]:
    agent.refresh_from_db()
    return {row.score for row in live_scores(agent)}


def test_a_shadow_writes_its_scores_and_moves_nothing(live: Agent, second: ModelVersion) -> None:
    user = User.objects.create_user("ann")
    live.refresh_from_db()
    pointer = (live.live_version_id, live.live_scoring_id)
    scoring = score(shadow_version(second, user=user))

    assert (scoring.status, scoring.shadow, scoring.rows) == (RunStatus.SUCCEEDED, True, 6)
    assert scoring.published_at is None
    assert RecommendationSet.objects.filter(scoring=scoring, score=0.9).count() == 6
    assert read(live) == {0.5}
    assert (live.live_version_id, live.live_scoring_id) == pointer
    assert (live.shadow_version, shadow_scoring(live)) == (second, scoring)
    assert scoring not in published_scorings(live)
    assert scoring_before(live) is None
    entry = AuditEntry.objects.get(action="version.shadowed")
    assert (entry.subject, entry.user) == ("recommender v2", user)
    assert not AuditEntry.objects.filter(action="scores.published", subject="recommender v2").exists()


def test_the_live_version_cannot_be_its_own_shadow(live: Agent) -> None:
    with pytest.raises(IsLive, match=r"recommender v1 is live; only another version can be its shadow\."):
        shadow_version(ModelVersion.objects.get(number=1))

    live.refresh_from_db()
    assert live.shadow_version is None
    assert ScoringRun.objects.count() == 1


def test_live_and_shadow_are_scored_side_by_side(live: Agent, second: ModelVersion) -> None:
    score(shadow_version(second))

    assert score_live_agents() == 2
    queued = ScoringRun.objects.filter(status=RunStatus.QUEUED).order_by("shadow")
    assert [(each.version.number, each.shadow) for each in queued] == [(1, False), (2, True)]
    assert len({each.snapshot_id for each in queued}) == 1
    with pytest.raises(ScoringAlreadyActive):
        start_scoring(live, version=second, shadow=True)
    for each in queued:
        score(each)
    live.refresh_from_db()
    assert live.live_version is not None
    assert live.live_version.number == 1


def test_promoting_a_shadow_publishes_the_scores_it_has(
    live: Agent, second: ModelVersion, woken: list[str]
) -> None:
    scoring = score(shadow_version(second))
    woken.clear()
    promoted = promote_version(second)

    assert promoted.pk == scoring.pk
    assert read(live) == {0.9}
    assert (live.live_version, live.shadow_version, woken) == (second, None, [])
    scoring.refresh_from_db()
    assert scoring.shadow is False
    assert roll_back(live).version.number == 1
    assert read(live) == {0.5}


def test_a_shadow_older_than_the_live_scores_is_scored_before_it_goes_live(
    live: Agent, second: ModelVersion
) -> None:
    score(shadow_version(second))
    again = start_scoring(live)
    ScoringRun.objects.filter(pk=again.pk).update(as_of=timezone.now())
    score(again)
    ScoringRun.objects.filter(shadow=True).update(snapshot=None)
    promoted = promote_version(second)

    assert (promoted.status, promoted.shadow) == (RunStatus.QUEUED, False)
    assert read(live) == {0.9}
    live.refresh_from_db()
    assert live.live_version is not None
    assert (live.live_version.number, live.shadow_version) == (1, second)
    score(promoted)
    live.refresh_from_db()
    assert (live.live_version, live.shadow_version) == (second, None)


def test_the_newest_shadow_set_is_kept_and_goes_with_the_shadow(live: Agent, second: ModelVersion) -> None:
    first = score(shadow_version(second))
    newest = score(start_scoring(live, version=second, shadow=True))

    first.refresh_from_db()
    newest.refresh_from_db()
    assert (first.scores, newest.scores) == (Kept.GONE, Kept.KEPT)
    assert RecommendationSet.objects.filter(scoring=newest).count() == 6
    assert RecommendationSet.objects.count() == 12
    user = User.objects.create_user("ann")
    end_shadow(live, user=user)
    assert delete_old_scores(live) == 6
    assert read(live) == {0.5}
    entry = AuditEntry.objects.get(action="version.shadow_ended")
    assert (entry.subject, entry.user) == ("recommender v2", user)
    with pytest.raises(NoShadow, match=r"recommender has no version in the shadow\."):
        end_shadow(live)


def test_ending_a_shadow_ends_its_scoring_and_no_other(live: Agent, second: ModelVersion) -> None:
    shadow, own = shadow_version(second), start_scoring(live)
    end_shadow(live)

    shadow.refresh_from_db()
    own.refresh_from_db()
    assert (shadow.status, own.status) == (RunStatus.CANCELLED, RunStatus.QUEUED)


def test_a_shadow_that_fails_leaves_the_live_scores(live: Agent, second: ModelVersion, stub: Stub) -> None:
    stub(fail_shard=0)
    scoring = score(shadow_version(second))

    assert (scoring.status, scoring.scores) == (RunStatus.FAILED, Kept.GONE)
    assert read(live) == {0.5}
    live.refresh_from_db()
    assert live.shadow_version == second


def test_readers_see_nothing_of_a_shadow(
    live: Agent, second: ModelVersion, client: Client, manager: User
) -> None:
    shadow = score(shadow_version(second))
    RecommendationSet.objects.filter(scoring=shadow).update(payload={"source": "model", "items": []})
    client.force_login(manager)

    assert client.get("/api/v1/agents/recommender/").json()["live"]["version"] == 1
    one = client.get("/api/v1/customers/C1/recommendations/").json()
    assert (one["version"], [item["product"] for item in one["items"]]) == (1, ["P1"])
    summary = client.get("/api/v1/customers/C1/").json()
    assert summary["agents"]["recommender"]["version"] == 1
    listed = client.get("/admin/crm_agents_recommender/recommendationset/").content.decode()
    assert "version 1." in listed
    assert "version 2." not in listed
    assert listed.count("Customer 1") == 1
    page = client.get("/admin/crm_agents/agent/customers/C1/").content.decode()
    assert "Lantern" in page
