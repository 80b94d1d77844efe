"""Answers made anew after an interaction: noted, answered by the child, shown, and gone with their scores."""

import os
import signal
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import transaction
from django.db.models.signals import post_delete, post_save
from django.utils import timezone

from crm_agents.models import Agent, FreshScore, News, ScoringRun
from crm_agents.selectors import live_score, live_scores
from crm_agents.services import freshness, refreshing
from crm_agents.services.freshness import REFRESH, WARM_UP, refresh
from crm_agents.services.privacy.erasing import erase
from crm_agents.services.privacy.exporting import export
from crm_agents.services.privacy.opting import opt_out
from crm_agents.services.publishing import roll_back
from crm_agents.services.refreshing import refresh_waiting, warm_up
from crm_agents.services.retention import delete_old_scores, erase_removed_customers
from crm_agents.services.scoring import point_to
from crm_agents.services.serving import CannotServe, ChildLost, served_model, warm_models
from crm_agents.services.sweeping import sweep
from crm_data.models import Customer, Interaction, Product
from crm_data.services.interactions import record_interactions
from crm_data.services.snapshots import build_snapshot
from handoff.serving import Known, Reply
from tests.published import AS_OF, publish
from tests.shop import LAST_DAY, open_shop

StubOptions = Callable[..., None]
OLD = {"source": "model", "items": [{"product": "OLD", "score": 0.3, "reasons": []}]}


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Collect the messages instead of sending them."""
    found: list[str] = []

    def ask(task: str, *arguments: str) -> bool:
        found.append(task)
        return True

    monkeypatch.setattr(freshness, "ask", ask)
    monkeypatch.setattr(refreshing, "ask", ask)
    return found


@pytest.fixture
def live(transactional_db: None, asked: list[str], stub: StubOptions) -> Iterator[Agent]:
    """A shop of six customers with published scores, and a stub for the model."""
    open_shop()
    Product.objects.create(code="P2", name="Spade")
    yield publish("recommender", {f"C{number}": (0.3, OLD) for number in range(1, 7)})
    warm_models.stop()


@pytest.fixture
def boss(transactional_db: None) -> User:
    return User.objects.create_superuser("boss")


def buys(user: User, customer: str = "C1", product: str = "P2", **values: Any) -> None:
    row = {"customer": customer, "kind": "purchase", "at": timezone.now().isoformat(), "product": product}
    record_interactions(user, [{**row, **values}])


def shown(agent: Agent, customer: str = "C1") -> list[str]:
    row = live_score(agent, customer)
    return [item["product"] for item in row.payload["items"]] if row else []


def is_running() -> bool:
    return warm_models.pid is not None


# Noting


def test_an_interaction_notes_its_customer_and_asks_once_it_is_stored(
    live: Agent, boss: User, asked: list[str]
) -> None:
    with transaction.atomic():
        buys(boss)
        assert asked == []
    assert asked == [REFRESH]
    assert list(News.objects.values_list("tenant", "customer_id", "attempts")) == [("", "C1", 0)]


def test_a_second_delivery_of_the_same_row_is_no_news(live: Agent, boss: User, asked: list[str]) -> None:
    row = {"customer": "C1", "kind": "call", "at": AS_OF.isoformat(), "key": "6f" * 16}
    assert record_interactions(boss, [row]) == 1
    assert record_interactions(boss, [row]) == 0
    assert (News.objects.count(), asked) == (1, [REFRESH])


def test_a_refused_write_is_no_news(live: Agent, boss: User, asked: list[str]) -> None:
    with pytest.raises(Exception, match="refused"):
        buys(boss, product="nothing such")
    assert (News.objects.count(), asked) == (0, [])


def test_nothing_is_noted_without_scores_or_for_whoever_opted_out(
    live: Agent, boss: User, asked: list[str], settings: Any
) -> None:
    opt_out("", "C2")
    assert refresh(["C2"]) == 0
    assert refresh([]) == 0
    assert refresh(["C1"], tenant="another") == 0
    settings.CRM_AGENTS = {**settings.CRM_AGENTS, "FRESH_AGENTS": ["churn"]}
    assert refresh(["C1"]) == 0
    assert (News.objects.count(), asked) == (0, [])


def test_where_nobody_works_on_the_notes_no_more_messages_are_sent(live: Agent, asked: list[str]) -> None:
    refresh(["C1"])
    News.objects.update(at=timezone.now() - timedelta(seconds=6))
    refresh(["C2", "C2", "C3"])
    assert asked == [REFRESH]
    assert sorted(News.objects.values_list("customer_id", flat=True)) == ["C1", "C2", "C3"]


def test_the_clock_asks_again_for_a_lost_message_for_a_while(live: Agent, asked: list[str]) -> None:
    refresh(["C1"])
    asked.clear()
    assert sweep() == 0
    News.objects.update(at=timezone.now() - timedelta(seconds=11))
    assert sweep() == 1
    News.objects.update(at=timezone.now() - timedelta(minutes=11))
    assert sweep() == 0
    assert asked == [REFRESH]


def test_the_admin_tells_of_what_is_entered_changed_and_deleted(
    live: Agent, boss: User, client: Any, asked: list[str]
) -> None:
    client.force_login(boss)
    one, two = Customer.objects.get(code="C1"), Customer.objects.get(code="C2")
    form = {"customer": one.pk, "kind": "call", "at_0": "2026-06-01", "at_1": "10:00:00"}
    assert client.post("/admin/crm_data/interaction/add/", form).status_code == 302
    assert list(News.objects.values_list("customer_id", flat=True)) == ["C1"]
    call = Interaction.objects.get(kind="call")
    News.objects.all().delete()
    client.post(f"/admin/crm_data/interaction/{call.pk}/change/", {**form, "customer": two.pk})
    assert sorted(News.objects.values_list("customer_id", flat=True)) == ["C1", "C2"]
    News.objects.all().delete()
    client.post(f"/admin/crm_data/interaction/{call.pk}/delete/", {"post": "yes"})
    assert list(News.objects.values_list("customer_id", flat=True)) == ["C2"]


def test_a_hosts_own_rows_are_followed_where_that_is_asked_for(live: Agent, asked: list[str]) -> None:
    customer = Customer.objects.get(code="C3")
    call = Interaction(customer=customer, kind="call", at=AS_OF)
    call.save()
    assert News.objects.count() == 0
    freshness.follow_source()
    try:
        call.save()
        call.delete()
    finally:
        for sent in (post_save, post_delete):
            uid = "crm_agents.freshness.crm_data.Interaction"
            assert sent.disconnect(sender=Interaction, dispatch_uid=uid)
    assert list(News.objects.values_list("customer_id", flat=True)) == ["C3", "C3"]


# Answering


def test_a_new_interaction_changes_that_customers_answer_and_no_other(live: Agent, boss: User) -> None:
    before = sorted(live_scores(live).values_list("pk", "customer_id", "score"))
    buys(boss)
    assert shown(live) == ["OLD"]
    assert refresh_waiting() == 1
    assert shown(live) == ["P2", "P1"]
    assert shown(live, "C2") == ["OLD"]
    assert sorted(live_scores(live).values_list("pk", "customer_id", "score")) == before
    assert News.objects.count() == 0
    fresh = FreshScore.objects.get()
    assert (fresh.agent, fresh.scoring, fresh.customer_id) == (live, live.live_scoring, "C1")
    assert fresh.as_of == Interaction.objects.filter(customer__code="C1").latest("at").at
    row = live_score(live, "C1")
    assert row is not None
    assert (row.refreshed, row.score, row.pk) == (fresh, 0.5, None)


def test_a_burst_of_interactions_is_answered_once(live: Agent, boss: User, agents_root: Path) -> None:
    for _ in range(5):
        buys(boss)
    buys(boss, "C2")
    assert News.objects.count() == 6
    assert refresh_waiting() == 2
    assert refresh_waiting() == 0
    assert sorted(FreshScore.objects.values_list("customer_id", flat=True)) == ["C1", "C2"]
    assert len((agents_root / "serving").read_text().split()) == 1


def test_the_newest_answer_stays(live: Agent, boss: User) -> None:
    buys(boss)
    refresh_waiting()
    assert live.live_scoring is not None
    late = Reply(1, 0.1, '{"items": []}', AS_OF.isoformat())
    refreshing._store(live.live_scoring, "C1", late, timezone.now() - timedelta(seconds=30))
    assert shown(live) == ["P2", "P1"]
    refreshing._store(live.live_scoring, "C1", late, timezone.now())
    assert shown(live) == []


def test_a_customer_whom_no_scoring_knows_gets_an_answer(live: Agent, boss: User) -> None:
    Customer.objects.create(code="NEW", name="New")
    assert live_score(live, "NEW") is None
    buys(boss, "NEW")
    refresh_waiting()
    assert shown(live, "NEW") == ["P2"]


def test_a_customer_whose_events_are_gone_and_one_who_is_gone(live: Agent, boss: User) -> None:
    buys(boss)
    refresh_waiting()
    Interaction.objects.filter(customer__code="C1").delete()
    refresh(["C1"])
    refresh_waiting()
    assert shown(live) == []
    assert live_score(live, "C1") is not None
    Customer.objects.filter(code="C1").delete()
    assert refresh(["C1", "never\0was", "x" * 60, "x" * 65, ""]) == 2
    assert refresh_waiting() == 2
    assert FreshScore.objects.count() == 0


def test_an_account_with_too_many_events_keeps_its_published_answer(
    live: Agent, boss: User, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    monkeypatch.setattr("crm_data.services.extracts.MOST_EVENTS", 3)
    buys(boss)
    refresh_waiting()
    assert (shown(live), News.objects.count()) == (["OLD"], 0)
    assert "more than 3 events" in caplog.text


def test_who_opts_out_while_being_answered_gets_no_answer(
    live: Agent, boss: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    buys(boss)
    answer = warm_models.ask

    def and_leave(*arguments: Any) -> Reply:
        opt_out("", "C1")
        return answer(*arguments)

    monkeypatch.setattr(warm_models, "ask", and_leave)
    refresh_waiting()
    assert (FreshScore.objects.count(), News.objects.count()) == (0, 0)
    assert live_score(live, "C1") is None


# Other scores go live


def newer(agent: Agent) -> ScoringRun:
    publish(agent.name, {"C1": (0.4, OLD), "C2": (0.4, OLD)}, as_of=AS_OF + timedelta(days=1))
    agent.refresh_from_db()
    assert agent.live_scoring is not None
    return agent.live_scoring


def test_the_answer_of_scores_that_are_live_no_more_is_not_kept(
    live: Agent, boss: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    buys(boss)
    answer = warm_models.ask
    flips: list[ScoringRun] = []

    def and_flip(*arguments: Any) -> Reply:
        reply = answer(*arguments)
        if not flips:
            flips.append(newer(live))
        return reply

    monkeypatch.setattr(warm_models, "ask", and_flip)
    assert refresh_waiting() == 2
    assert FreshScore.objects.get().scoring == flips[0]
    live.refresh_from_db()
    assert shown(live) == ["P2", "P1"]


def test_what_newer_scores_do_not_know_is_answered_anew_and_the_rest_is_not(
    live: Agent, boss: User, asked: list[str]
) -> None:
    buys(boss, "C1")
    buys(boss, "C2")
    refresh_waiting()
    earlier = live.live_scoring
    scoring = newer(live)
    assert scoring.snapshot is not None
    assert shown(live) == ["OLD"]
    scoring.snapshot.watermark = timezone.now() + timedelta(minutes=1)
    FreshScore.objects.filter(customer_id="C1").update(made_at=timezone.now() + timedelta(minutes=2))
    asked.clear()
    with transaction.atomic():
        point_to(live, scoring)
    assert list(News.objects.values_list("customer_id", flat=True)) == ["C1"]
    assert asked == [WARM_UP]
    assert warm_up() == 1
    assert shown(live) == ["P2", "P1"]
    roll_back(live)
    live.refresh_from_db()
    assert live.live_scoring == earlier
    assert FreshScore.objects.filter(scoring=earlier).count() == 2


def test_the_child_is_replaced_where_other_scores_are_live(live: Agent, boss: User) -> None:
    assert warm_up() == 1
    first = warm_models.pid
    assert warm_up() == 1
    assert warm_models.pid == first
    newer(live)
    assert warm_up() == 1
    assert warm_models.pid not in (None, first)


# Faults


def test_a_killed_child_is_replaced_and_the_customer_answered(
    live: Agent, boss: User, stub: StubOptions, agents_root: Path
) -> None:
    stub(die_at=1)
    buys(boss)
    assert refresh_waiting() == 2
    assert shown(live) == ["P2", "P1"]
    assert len((agents_root / "serving").read_text().split()) == 2


def test_a_child_that_died_between_two_questions_is_replaced(live: Agent, boss: User) -> None:
    warm_up()
    assert warm_models.pid is not None
    os.kill(warm_models.pid, signal.SIGKILL)
    buys(boss)
    refresh_waiting()
    assert shown(live) == ["P2", "P1"]


@pytest.mark.parametrize("options", [{"answering": 30.0}, {"garbage": True}])
def test_a_child_that_hangs_or_babbles_is_given_up_after_three_attempts(
    options: dict[str, Any], live: Agent, boss: User, stub: StubOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("crm_agents.services.serving.ANSWER_SECONDS", 0.2)
    stub(**options)
    buys(boss)
    assert refresh_waiting() == 3
    assert (shown(live), News.objects.count(), warm_models.pid) == (["OLD"], 0, None)


def test_a_model_that_cannot_be_loaded_is_not_tried_for_every_customer(
    live: Agent, boss: User, stub: StubOptions, agents_root: Path, caplog: Any
) -> None:
    stub(unserved="weights.safetensors differs from its recorded SHA-256")
    for customer in ("C1", "C2", "C3"):
        buys(boss, customer)
    assert refresh_waiting() == 3
    assert (FreshScore.objects.count(), News.objects.count()) == (0, 0)
    assert "recommender is not kept fresh: weights.safetensors differs" in caplog.text
    assert len((agents_root / "serving").read_text().split()) == 1


def test_a_model_without_its_files_is_no_obstacle(live: Agent, boss: User) -> None:
    assert live.live_scoring is not None
    assert live.live_scoring.snapshot is not None
    live.live_scoring.snapshot.removed_at = timezone.now()
    live.live_scoring.snapshot.save()
    buys(boss)
    assert refresh_waiting() == 1
    assert (shown(live), News.objects.count()) == (["OLD"], 0)


def test_memory_is_bounded(live: Agent, settings: Any, stub: StubOptions) -> None:
    assert live.live_scoring is not None
    model = served_model(live.live_scoring)
    stub(memory_mb=5000)
    with pytest.raises(CannotServe, match="It takes 5000 MB; WARM_MEMORY_MB is 4096"):
        warm_models.load(live.pk, model)
    assert not is_running()
    warm_models._refused.clear()
    settings.CRM_AGENTS = {**settings.CRM_AGENTS, "WARM_MEMORY_MB": 6000}
    warm_models.load(live.pk, model)
    assert is_running()
    settings.CRM_AGENTS = {**settings.CRM_AGENTS, "WARM_MEMORY_MB": 4000}
    assert warm_models.ask(live.pk, model, "C1", Known()).error == ""
    assert not is_running()  # it grew while it answered


def test_a_long_question_reaches_the_child_whole(live: Agent, boss: User) -> None:
    customer, product = Customer.objects.get(code="C1"), Product.objects.get(code="P2")
    Interaction.objects.bulk_create(
        Interaction(customer=customer, product=product, kind="purchase", at=LAST_DAY, text="ä" * 500)
        for _ in range(3000)
    )
    refresh(["C1"])
    refresh_waiting()
    assert shown(live) == ["P2", "P1"] or shown(live) == ["P1", "P2"]


def test_a_silent_child_does_not_block_the_writing(live: Agent, stub: StubOptions, tmp_path: Path) -> None:
    from crm_agents.services.serving import Child

    child = Child(1)
    os.kill(child.pid, signal.SIGSTOP)
    try:
        assert live.live_scoring is not None
        with pytest.raises(ChildLost, match="did not answer in time"):
            child.ask(served_model(live.live_scoring), "C" * 300_000, Known(), 0.3)
    finally:
        child.stop()


# Privacy and retention


def test_refreshed_answers_go_with_their_customer(live: Agent, boss: User) -> None:
    for customer in ("C1", "C2", "C3"):
        buys(boss, customer)
    refresh_waiting()
    refresh(["C1", "C2"])
    shown_now = export("", "C1")["refreshed_scores"]
    assert [(row["agent"], row["live"], row["score"]) for row in shown_now] == [("recommender", True, 0.5)]
    opt_out("", "C1")
    report = erase("", "C2")
    assert report.rows["freshscore"] == 1
    assert list(FreshScore.objects.values_list("customer_id", flat=True)) == ["C3"]
    assert News.objects.count() == 0


def test_the_child_reads_its_data_again_once_an_erased_customer_was_taken_out(
    live: Agent, asked: list[str]
) -> None:
    assert live.live_scoring is not None
    snapshot = build_snapshot()
    ScoringRun.objects.filter(pk=live.live_scoring.pk).update(snapshot=snapshot)
    warm_up()
    first = warm_models.pid
    report = erase("", "C2")
    assert report.snapshots == [snapshot.folder]
    assert asked == [WARM_UP]
    warm_up()
    assert warm_models.pid not in (None, first)


def test_refreshed_answers_go_with_their_scores(live: Agent, boss: User, settings: Any) -> None:
    settings.CRM_AGENTS = {**settings.CRM_AGENTS, "KEPT_SCORE_SETS": 1}
    buys(boss)
    refresh_waiting()
    newer(live)
    refresh(["C2"])
    refresh_waiting()
    assert FreshScore.objects.count() == 2
    delete_old_scores(live)
    assert FreshScore.objects.get().scoring_id == live.live_scoring_id
    Customer.objects.filter(code="C2").delete()
    assert live.live_scoring is not None
    live_scores(live).filter(customer_id="C2").delete()
    erase_removed_customers(live)
    assert FreshScore.objects.count() == 0
