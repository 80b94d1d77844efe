import polars as pl
import pytest

from crm_agents.folders import kept_folder, score_folder
from crm_agents.models import Agent, ScoringRun
from crm_agents.services.scoring import start_scoring
from crm_agents.services.shadowing import shadow_version
from crm_agents.services.shards import score_shard
from crm_agents.services.watching import recording
from crm_agents.services.watching.beside import compare, most_changed
from crm_agents.services.watching.keeping_watch import keep_watch
from crm_agents.services.watching.kept import read_scores
from handoff.outcomes import KEPT
from tests.crm_agents.watching.support import Stub, go_live, score

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def live(agent: Agent, shop: None, woken: list[str], stub: Stub) -> Agent:
    go_live(agent)
    return agent


def test_a_scoring_leaves_its_scores_and_its_drift(live: Agent, stub: Stub) -> None:
    stub(counts=[0, 10, 100, 190], scores=0.7)
    scoring = score(start_scoring(live))

    frame = read_scores(scoring)
    assert frame is not None
    assert frame.schema == KEPT
    assert frame.rows()[0] == ("C1", 0.7, "", ["P1"])
    assert frame["customer"].to_list() == [f"C{number}" for number in range(1, 7)]
    assert not score_folder(scoring.pk).exists()
    (orders,) = scoring.drift["features"]
    # With half a count added to each of the three bins in use: shares (10.5, 100.5, 190.5) / 301.5
    # against a third each.
    assert (orders["name"], orders["psi"]) == ("orders", 0.86516)
    assert orders["by_chance"] == pytest.approx(2 * (1 / 300 + 1 / 300), abs=1e-5)
    assert scoring.drift["customers"] == 300
    assert scoring.drift["scores"]["today"] == [0.0, 0.03333, 0.33333, 0.63333]


def test_only_the_newest_set_of_a_day_is_kept(live: Agent) -> None:
    first = ScoringRun.objects.get()
    second = score(start_scoring(live))

    assert kept_folder(second).exists()
    assert not kept_folder(first).exists()


def test_a_worker_that_died_before_recording_leaves_it_to_the_watch(
    live: Agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    scoring = start_scoring(live)
    with monkeypatch.context() as patch:
        patch.setattr("crm_agents.services.shards.record_scoring", lambda scoring: None)
        for shard in scoring.shards.all():
            score_shard(shard.pk)
    assert score_folder(scoring.pk).exists()
    keep_watch()

    scoring.refresh_from_db()
    assert scoring.drift["customers"] == 300
    assert read_scores(scoring) is not None
    assert not score_folder(scoring.pk).exists()


def test_what_cannot_be_recorded_takes_nothing_from_readers(
    live: Agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr(recording, "keep_scores", full)
    scoring = score(start_scoring(live))

    live.refresh_from_db()
    assert live.live_scoring == scoring
    assert scoring.drift == {"problem": "No space left on device"}


def test_a_shadow_is_compared_with_what_is_live(live: Agent, stub: Stub) -> None:
    from crm_agents.services.execution import execute_run
    from crm_agents.services.runs import start_run

    run = start_run(live, publish=False)
    execute_run(run.pk)
    run.refresh_from_db()
    stub(scores=0.9)
    shadow = score(shadow_version(run.version))

    assert shadow.beside_live["live"] == str(ScoringRun.objects.get(shadow=False).pk)
    assert (shadow.beside_live["customers"], shadow.beside_live["list_shared"]) == (6, 1.0)
    assert shadow.beside_live["live_version"] == 1
    again = score(start_scoring(live))  # the live scores are newer now, so the shadow is compared anew
    shadow.refresh_from_db()
    assert shadow.beside_live["live"] == str(again.pk)
    assert again.beside_live == {}


def both(rows: list[tuple[object, ...]]) -> pl.DataFrame:
    shadow = [(f"{name}_shadow", kind) for name, kind in list(KEPT.items())[1:]]
    return pl.DataFrame(rows, schema=pl.Schema([*KEPT.items(), *shadow]), orient="row")


def test_two_sets_of_scores_are_compared_in_figures() -> None:
    frame = both(
        [
            ("a", 0.9, "high", None, 0.8, "high", None),
            ("b", 0.6, "medium", None, 0.95, "high", None),
            ("c", 0.2, "low", None, 0.1, "low", None),
            ("d", None, "unknown", None, 0.5, "medium", None),
        ]
    )
    facts = compare(frame)

    assert (facts["customers"], facts["scored"]) == (4, 3)
    assert facts["rank_correlation"] == 0.5  # the first two changed places
    assert facts["top_shared"] == 0.0
    assert facts["tiers"] == [
        ["high", "high", 1],
        ["low", "low", 1],
        ["medium", "high", 1],
        ["unknown", "medium", 1],
    ]
    assert (sum(facts["histogram"]["live"]), sum(facts["histogram"]["shadow"])) == (3, 3)
    assert facts["histogram"]["edges"][0] == 0.1
    assert "list_shared" not in facts
    assert [each["customer"] for each in most_changed(frame)] == ["b", "d"]


def test_two_sets_of_lists_are_compared_by_what_they_share() -> None:
    frame = both(
        [
            ("a", 0.9, "", ["x", "y"], 0.8, "", ["x", "z"]),
            ("b", 0.6, "", ["x", "y"], 0.6, "", ["x", "y"]),
            ("c", None, "", [], None, "", ["x"]),
        ]
    )
    facts = compare(frame)

    assert (facts["list_shared"], facts["same_first"]) == (0.75, 1.0)
    assert "tiers" not in facts
    assert [(each["customer"], each["shared"]) for each in most_changed(frame)] == [("a", 0.5)]


def test_nobody_in_common_is_no_comparison_and_no_error() -> None:
    assert compare(both([])) == {"customers": 0, "scored": 0}
    assert most_changed(both([])) == []
