"""Tables beside the scores: written, replaced, published, deleted, and cleaned of customers with them."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from django.utils import timezone

from crm_agents.models import Agent, Kept, RunStatus, ScoringRun, ScoringShard
from crm_agents.services.execution import execute_run
from crm_agents.services.leases import Lease, LeaseLost, claim
from crm_agents.services.privacy.erasing import erase
from crm_agents.services.privacy.exporting import export
from crm_agents.services.privacy.opting import opt_out
from crm_agents.services.privacy.rows import drop_left_out
from crm_agents.services.retention import delete_old_scores, erase_removed_customers
from crm_agents.services.runs import start_run
from crm_agents.services.scoring import start_scoring
from crm_agents.services.shards import score_shard
from crm_agents.services.side_tables import FEW, customers_in, take_out, write_side_tables
from crm_data.models import Customer, Interaction, OptOut
from crm_data.services.suppression import note_erasure
from handoff.dataset import shard_of
from handoff.errors import HandoffError
from handoff.scores import AUDIENCE, RELATIONS, side_path
from recommender.models import ProductAudience, ProductRelations
from recommender.products.callers import callers_for
from recommender.products.found import find_product

pytestmark = pytest.mark.django_db(transaction=True)

Stub = Callable[..., None]
EVERYBODY = {"C1", "C2", "C3", "C4", "C5", "C6"}


@pytest.fixture
def scoring(agent: Agent, shop: None, woken: list[str], stub: Stub, settings: Any) -> ScoringRun:
    """A scoring in two shards, not begun, whose scorer writes side files."""
    settings.CRM_AGENTS = {**settings.CRM_AGENTS, "SHARD_EVENTS": 12}
    stub(sides=True)
    execute_run(start_run(agent).pk)
    return ScoringRun.objects.get()


@pytest.fixture
def published(scoring: ScoringRun) -> ScoringRun:
    score_all(scoring)
    scoring.refresh_from_db()
    assert scoring.status == RunStatus.SUCCEEDED
    return scoring


def score_all(scoring: ScoringRun) -> None:
    for shard in scoring.shards.all():
        score_shard(shard.pk)


def next_version(agent: Agent) -> ScoringRun:
    """Train and publish once more; the scores before are kept for a rollback."""
    execute_run(start_run(agent).pk)
    scoring = ScoringRun.objects.order_by("created_at").last()
    assert scoring is not None
    score_all(scoring)
    return scoring


def named(scoring: ScoringRun) -> set[str]:
    return customers_in(scoring)


def leased(scoring: ScoringRun, number: int = 0) -> Lease:
    shard = scoring.shards.all()[number]
    ScoringShard.objects.filter(pk=shard.pk).update(status=RunStatus.QUEUED)
    lease = claim(ScoringShard, shard.pk, RunStatus.SCORING)
    assert lease is not None
    return lease


def audience_file(folder: Path, *entries: tuple[Any, ...]) -> Path:
    """Write an audience beside a score file that is not there, and return the score file's place."""
    out = folder / "shard-0000.parquet"
    pl.DataFrame(entries, schema=AUDIENCE, orient="row").write_parquet(side_path(out, "audience"))
    return out


def test_scoring_fills_them_and_callers_are_read_from_all_shards(
    published: ScoringRun, agent: Agent, manager: Any
) -> None:
    rows = ProductAudience.objects.filter(scoring=published)
    assert sorted(rows.values_list("key", "shard")) == [("P1", 0), ("P1", 1)]
    assert [entry[1:] for row in rows for entry in row.payload["customers"]] == [[0.5, 1, 3]] * 6
    assert ProductRelations.objects.get().payload["orders"] == 9
    agent.refresh_from_db()
    answer = callers_for(agent, manager, find_product(agent, "P1"))
    assert {item["customer_id"] for item in answer["items"]} == EVERYBODY


def test_an_unfinished_set_is_shown_to_nobody(scoring: ScoringRun, agent: Agent, manager: Any) -> None:
    score_shard(scoring.shards.all()[0].pk)
    assert ProductAudience.objects.count() == 1
    agent.refresh_from_db()
    answer = callers_for(agent, manager, find_product(agent, "P1"))
    assert answer["items"] == []
    assert "none of its versions is published" in answer["note"]


def test_an_attempt_replaces_what_an_earlier_one_wrote(scoring: ScoringRun, tmp_path: Path) -> None:
    lease = leased(scoring)
    first = audience_file(tmp_path, ("P1", "C1", 0.5, 1, 3), ("P2", "C1", 0.4, None, None))
    assert write_side_tables(scoring, 0, first, lease) == 2
    second = audience_file(tmp_path, ("P1", "C2", 0.3, None, None))
    assert write_side_tables(scoring, 0, second, lease) == 1
    assert named(scoring) == {"C2"}
    other = audience_file(tmp_path, ("P1", "C3", 0.3, None, None))
    assert write_side_tables(scoring, 1, other, lease) == 1
    assert named(scoring) == {"C2", "C3"}
    side_path(second, "audience").unlink()
    assert write_side_tables(scoring, 0, second, lease) == 0  # a scorer that writes none leaves none
    assert named(scoring) == {"C3"}


def test_a_worker_that_lost_its_shard_writes_nothing(scoring: ScoringRun, tmp_path: Path) -> None:
    lease = leased(scoring)
    ScoringShard.objects.update(lease_owner=None)
    with pytest.raises(LeaseLost):
        write_side_tables(scoring, 0, audience_file(tmp_path, ("P1", "C1", 0.5, 1, 3)), lease)
    assert not ProductAudience.objects.exists()


def test_a_file_that_is_none_is_refused(scoring: ScoringRun, tmp_path: Path) -> None:
    lease, out = leased(scoring), tmp_path / "shard-0000.parquet"
    side_path(out, "audience").write_bytes(b"PAR1")
    with pytest.raises(HandoffError, match="audience-shard-0000.parquet is not a side file"):
        write_side_tables(scoring, 0, out, lease)
    pl.DataFrame({"key": ["P1"], "chance": [0.5]}).write_parquet(side_path(out, "audience"))
    with pytest.raises(HandoffError, match=r"\['key', 'chance'\], expected \['key', 'customer'\]"):
        write_side_tables(scoring, 0, out, lease)
    words = {"key": ["P1"], "customer": ["C1"], "chance": ["much"]}
    pl.DataFrame(words).write_parquet(side_path(out, "audience"))
    with pytest.raises(HandoffError, match="other than numbers"):
        write_side_tables(scoring, 0, out, lease)
    assert not ProductAudience.objects.exists()


def test_what_no_database_can_hold_is_left_out(scoring: ScoringRun, tmp_path: Path) -> None:
    out = audience_file(tmp_path, ("P1", "C1", float("nan"), None, None), ("P" * 65, "C1", 0.5, 1, 1))
    facts = json.dumps({"orders": 1, "name": "a\0b"})
    rows = pl.DataFrame([("P1", facts)], schema=RELATIONS, orient="row")
    rows.write_parquet(side_path(out, "relations"))
    assert write_side_tables(scoring, 0, out, leased(scoring)) == 2
    assert ProductAudience.objects.get().payload == {"customers": [["C1", None, None, None]]}
    assert "\0" not in ProductRelations.objects.get().payload["name"]


def test_who_is_left_out_is_not_written(scoring: ScoringRun, tmp_path: Path) -> None:
    OptOut.objects.create(customer_id="C1")
    note_erasure("", "C2")
    out = audience_file(tmp_path, *(("P1", f"C{number}", 0.5, 1, 3) for number in (1, 2, 3)))
    write_side_tables(scoring, 0, out, leased(scoring))
    assert named(scoring) == {"C3"}


def test_who_leaves_while_being_scored_is_taken_out_before_publishing(published: ScoringRun) -> None:
    OptOut.objects.create(customer_id="C1", at=timezone.now())
    note_erasure("", "C2")
    drop_left_out(published)
    assert named(published) == {"C3", "C4", "C5", "C6"}


def test_an_export_tells_it_and_after_an_erasure_no_row_names_the_customer(published: ScoringRun) -> None:
    (entry,) = export("", "C1")["beside_scores"]
    assert (entry["table"], entry["key"], entry["values"]) == ("audience", "P1", [0.5, 1, 3])
    assert (entry["agent"], entry["version"], entry["live"]) == ("recommender", 1, True)
    assert export("", "C9")["beside_scores"] == []
    assert erase("", "C1").rows["productaudience"] == 1
    assert named(published) == EVERYBODY - {"C1"}
    assert "C1" not in "".join(map(str, ProductAudience.objects.values_list("payload", flat=True)))


def test_opting_out_takes_a_customer_out_of_live_and_kept_sets(published: ScoringRun, agent: Agent) -> None:
    second = next_version(agent)
    assert named(published) == named(second) == EVERYBODY
    opt_out("", "C4")
    assert named(published) == named(second) == EVERYBODY - {"C4"}


def test_a_customer_removed_from_the_crm_is_taken_out_of_kept_sets(
    published: ScoringRun, agent: Agent
) -> None:
    Interaction.objects.filter(customer__code="C5").delete()
    Customer.objects.filter(code="C5").delete()
    second = next_version(agent)
    agent.refresh_from_db()
    assert agent.live_scoring == second
    erase_removed_customers(agent)
    assert named(published) == named(second) == EVERYBODY - {"C5"}


def test_they_go_with_their_scores(published: ScoringRun, agent: Agent, settings: Any) -> None:
    settings.CRM_AGENTS = {**settings.CRM_AGENTS, "KEPT_SCORE_SETS": 1}
    score_all(start_scoring(agent))
    agent.refresh_from_db()
    delete_old_scores(agent)
    published.refresh_from_db()
    assert published.scores == Kept.GONE
    assert {row.scoring_id for row in ProductAudience.objects.all()} == {agent.live_scoring_id}
    assert {row.scoring_id for row in ProductRelations.objects.all()} == {agent.live_scoring_id}


@pytest.mark.parametrize("many", [False, True])
def test_ids_are_found_however_a_database_writes_them(published: ScoringRun, many: bool) -> None:
    odd = ['Zoë "Z"', "back\\slash", "50%_", "客户", "C1"]
    for shard in (0, 1):
        mine = [[name, 0.5, None, None] for name in odd if shard_of(name, 2) == shard]
        rows = ProductAudience.objects.filter(scoring=published, shard=shard)
        rows.update(payload={"customers": [*mine, ["C11", 0.4, 2, 3]]})
    gone = odd + ([f"N{number}" for number in range(FEW * 3)] if many else [])
    assert take_out(published, gone) == {"productaudience": 2}
    kept = [row.payload["customers"] for row in ProductAudience.objects.filter(scoring=published)]
    assert kept == [[["C11", 0.4, 2, 3]]] * 2
    assert take_out(published, gone) == {}
    assert take_out(published, []) == {}
