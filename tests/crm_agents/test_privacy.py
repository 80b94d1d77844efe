"""Opting out, exporting, erasing and retention: what is gone, and that nothing else is."""

import datetime as dt
import json
import zipfile
from io import BytesIO
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from django.contrib.auth.models import User
from django.core.management import call_command
from django.utils import timezone

from churn.models import ChurnScore
from churn.selectors import churn_for
from crm_agents.folders import run_folder
from crm_agents.models import (
    Agent,
    Annotation,
    AuditEntry,
    Feedback,
    IdempotentRequest,
    LabelItem,
    LabelSet,
    ModelVersion,
    RunStatus,
    ScoringRun,
    TrainingRun,
)
from crm_agents.services import audit
from crm_agents.services.agents import get_agent
from crm_agents.services.feedback import FeedbackRejected, give_feedback
from crm_agents.services.privacy.erasing import erase, finish_erasures
from crm_agents.services.privacy.exporting import as_zip, export
from crm_agents.services.privacy.opting import OptOutRefused, opt_in, opt_out
from crm_agents.services.privacy.rows import drop_left_out
from crm_agents.services.privacy.tainted import tainted_versions, untold_versions
from crm_agents.services.privacy.texts import Scrubber, telling
from crm_agents.services.tidying import remove_old_snapshots, tidy
from crm_data.models import Customer, Erasure, Interaction, OptOut, Snapshot
from crm_data.selectors import SnapshotRemoved, snapshot_folder
from crm_data.services.snapshots import build_snapshot
from crm_data.services.suppression import note_erasure
from crm_data.suppression import Suppressed
from recommender.models import RecommendationSet
from tests.published import publish
from tests.shop import open_shop

pytestmark = pytest.mark.django_db

ANSWERS: dict[str, Any] = {
    "C1": (0.9, {"reasons": []}),
    "C2": (0.2, {"reasons": []}),
}


@pytest.fixture
def agent() -> Agent:
    """Live churn scores of C1 and C2, the version trained on a real snapshot of the shop."""
    open_shop(customers=4, purchases=3)
    publish("churn", ANSWERS)
    snapshot = build_snapshot()
    ModelVersion.objects.update(snapshot=snapshot)
    TrainingRun.objects.update(snapshot=snapshot)
    ScoringRun.objects.update(snapshot=snapshot)
    Snapshot.objects.exclude(pk=snapshot.pk).delete()
    return get_agent("churn")


def item(agent: Agent, customer: str, *, text: str = "", status: str = "open") -> LabelItem:
    label_set, _made = LabelSet.objects.get_or_create(agent=agent, name="Left?", subject="customer")
    return LabelItem.objects.create(
        label_set=label_set, customer_id=customer, at=timezone.now(), text=text, status=status
    )


def test_an_opted_out_customer_is_scored_and_shown_no_more(agent: Agent, manager: User) -> None:
    item(agent, "C1")
    item(agent, "C1", status="agreed")
    item(agent, "C2")
    assert opt_out("", "C1", user=manager, reason=" asked by letter ")
    assert not opt_out("", "C1", user=manager)
    assert list(ChurnScore.objects.values_list("customer_id", flat=True)) == ["C2"]
    assert list(LabelItem.objects.values_list("customer_id", "status")) == [("C1", "agreed"), ("C2", "open")]
    row = OptOut.objects.get()
    assert (row.customer_id, row.reason, row.by) == ("C1", "asked by letter", manager)
    entries = AuditEntry.objects.filter(action="customer.opted_out")
    assert {entry.agent.name for entry in entries} == {"churn", "recommender"}
    answer = churn_for(agent, "C1")
    assert (answer["probability"], answer["missing"][0]["code"]) == (None, "opted_out")
    assert answer["missing"][0]["text"].startswith("This customer opted out of profiling on ")
    assert churn_for(agent, "C2")["probability"] == 0.2
    with pytest.raises(FeedbackRejected, match="left out of what agents do"):
        give_feedback(agent, customer_id="C1", verdict="wrong", user=manager)
    assert opt_in("", "C1", user=manager)
    assert not opt_in("", "C1")
    assert churn_for(agent, "C1")["missing"][0]["code"] == "not_covered"


def test_a_reason_that_does_not_fit_is_refused(agent: Agent) -> None:
    with pytest.raises(OptOutRefused, match=r"reason has 501 characters; at most 500 fit\."):
        opt_out("", "C1", reason="x" * 501)
    assert not OptOut.objects.exists()
    assert ChurnScore.objects.count() == 2


def test_who_leaves_while_being_scored_is_not_published(agent: Agent) -> None:
    scoring = ScoringRun.objects.get()
    assert drop_left_out(scoring) == 0
    OptOut.objects.create(customer_id="C1")
    note_erasure("", "C2")
    assert drop_left_out(scoring) == 2
    assert not ChurnScore.objects.exists()


def test_nobody_is_asked_about_them_and_no_label_is_imported(agent: Agent) -> None:
    from crm_agents.services.labelling.candidates import candidates
    from crm_agents.services.labelling.importing import import_labels
    from crm_agents.services.labelling.parsing import LabelsRejected

    choices = [{"value": word, "text": word, "key": word[0]} for word in ("left", "stayed")]
    label_set = LabelSet.objects.create(agent=agent, name="Gone?", subject="customer", choices=choices)
    assert {each.customer_id for each in candidates(label_set)} == {"C1", "C2"}
    OptOut.objects.create(customer_id="C1")
    note_erasure("", "C2")
    assert candidates(label_set) == []
    rows = b"customer,at,label\nC1,2026-01-01T00:00:00Z,left\nC3,2026-01-01T00:00:00Z,left\n"
    with pytest.raises(LabelsRejected) as refused:
        import_labels(label_set, rows, file_format="csv")
    assert "'C1' opted out or was erased" in str(refused.value.errors[0])
    assert not LabelItem.objects.exists()


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def scores_file(path: Path, *customers: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pl.DataFrame({"customer": list(customers), "score": [0.5] * len(customers)}).write_parquet(path)
    return path


def everything(root: Path) -> str:
    """Return every table of the two rooms and every file as one text."""
    from django.apps import apps

    rows = [
        str(list(model._default_manager.values()))
        for room in ("crm_agents", "crm_data", "crm_agents_churn", "crm_agents_recommender")
        for model in apps.get_app_config(room).get_models()
    ]
    for path in sorted(root.rglob("*")):
        if path.suffix == ".parquet":
            rows.append(pl.read_parquet(path).write_json())
        elif path.is_file():
            rows.append(path.read_bytes().decode("utf-8", "replace"))
        rows.append(str(path.relative_to(root)))
    return "\n".join(rows)


def test_after_erasing_a_customer_is_named_nowhere(agent: Agent, manager: User, agents_root: Path) -> None:
    customer = Customer.objects.get(code="C1")
    Customer.objects.filter(code="C1").update(name="Ann Özdemir", email="ann@example.org")
    other = publish("recommender", {"C1": (0.5, {"items": []}), "C2": (0.4, {"items": []})})
    Feedback.objects.create(agent=agent, customer_id="C1", verdict="wrong", reason="gone")
    Feedback.objects.create(agent=agent, customer_id="C2", verdict="wrong", reason="Like Ann Özdemir (C1).")
    mine = item(agent, "C1", text="Where is my order?", status="agreed")
    Annotation.objects.create(item=mine, kind="label", label="left")
    theirs = item(agent, "C2", text="ann özdemir sent me")
    audit.record(agent, "version.promoted", "C1", detail={"why": ["ann@example.org asked", 3], "C1": 1})
    audit.record(agent, "version.promoted", "churn v1", detail={"code": "C12", "rows": 1})
    run = TrainingRun.objects.filter(agent=agent).get()
    run.log_tail = "reading customer C1\nreading C12"
    run.error = "Customer C1 has a bad date."
    run.save()
    write(run_folder(run) / "trainer.log", "customer C1 and C1-7, then C12\n")
    scores_file(run_folder(run) / "predictions.parquet", "C1", "C2", "C1")
    scores_file(agents_root / "records" / "churn" / "1" / "predictions.parquet", "C1", "C2")
    kept = scores_file(agents_root / "scorings" / str(ScoringRun.objects.first().pk) / "s.parquet", "C1")  # type: ignore[union-attr]
    for path, response in (
        ("/api/v1/customers/C1/", {}),
        ("/api/v1/feedback/", {"customer": "C1"}),
        ("/x/", {}),
    ):
        IdempotentRequest.objects.create(
            user=manager, key=path, path=path, request_sha256="0", response=response
        )
    from django.contrib.admin.models import CHANGE, LogEntry

    LogEntry.objects.log_actions(manager.pk, [customer], CHANGE, "Changed C1.")
    OptOut.objects.create(customer_id="C1", reason="Ann wrote")
    assert "C1" in everything(agents_root)

    report = erase("", "C1", user=manager, with_record=True)

    whole = everything(agents_root).replace("C1-7", "").replace("C12", "")
    assert "C1" not in whole
    assert "zdemir" not in whole
    assert "ann@example.org" not in whole
    assert (LogEntry.objects.get().object_repr, LogEntry.objects.get().change_message) == ("[erased]", "")
    assert report.rows == {
        "annotation": 1,
        "churnscore": 1,
        "customer": 1,
        "feedback": 1,
        "idempotentrequest": 2,
        "interaction": 3,
        "labelitem": 1,
        "recommendationset": 1,
    }
    assert report.files == {
        f"runs/{run.pk}/predictions.parquet": 2,
        "records/churn/1/predictions.parquet": 1,
        kept.relative_to(agents_root).as_posix(): 1,
    }
    assert report.logs == [f"runs/{run.pk}/trainer.log"]
    assert report.waiting == []
    assert report.versions == ["churn v1"]
    assert not Erasure.objects.get().pending
    # What is about others, or only looks like the customer, is there still.
    assert ChurnScore.objects.get().customer_id == RecommendationSet.objects.get().customer_id == "C2"
    assert Feedback.objects.get().reason == "Like [erased] ([erased])."
    theirs.refresh_from_db()
    assert theirs.text == "[erased] sent me"
    run.refresh_from_db()
    assert run.log_tail == "reading customer [erased]\nreading C12"
    assert (run_folder(run) / "trainer.log").read_text() == "customer [erased] and C1-7, then C12\n"
    entries = AuditEntry.objects.filter(action="version.promoted").order_by("pk")
    assert [(entry.subject, entry.detail) for entry in entries] == [
        ("[erased]", {"why": ["[erased] asked", 3], "[erased]": 1}),
        ("churn v1", {"code": "C12", "rows": 1}),
    ]
    assert AuditEntry.objects.filter(action="customers.erased", agent=other).get().detail == {
        "recommendationset": 1
    }
    assert IdempotentRequest.objects.get().path == "/x/"
    assert Customer.objects.count() == 3
    assert Interaction.objects.count() == 9


def test_an_erasure_may_be_repeated(agent: Agent) -> None:
    erase("", "C1")
    again = erase("", "C1")
    assert (again.rows, again.files, again.snapshots) == ({}, {}, [])
    assert Erasure.objects.count() == 1
    assert Customer.objects.filter(code="C1").exists()


def test_another_tenants_customer_of_the_same_number_stays(agent: Agent, agents_root: Path) -> None:
    north = Agent.objects.create(name="churn", tenant="north")
    run = TrainingRun.objects.create(agent=north, status=RunStatus.SUCCEEDED)
    scores_file(run_folder(run) / "predictions.parquet", "C1")
    Feedback.objects.create(agent=north, tenant="north", customer_id="C1", verdict="wrong")
    assert erase("", "C1").rows == {"churnscore": 1}
    assert Feedback.objects.count() == 1
    assert len(pl.read_parquet(run_folder(run) / "predictions.parquet")) == 1
    assert not Suppressed("north").is_erased("C1")


def test_a_snapshot_in_use_is_cleaned_when_the_run_has_ended(agent: Agent) -> None:
    snapshot = Snapshot.objects.get()
    run = TrainingRun.objects.create(agent=agent, snapshot=snapshot, status=RunStatus.TRAINING)
    log = write(run_folder(run) / "trainer.log", "reading C1\n")
    report = erase("", "C1")
    assert report.waiting == [f"TrainingRun {run.pk}", snapshot.folder]
    assert "Still in use" in report.lines()[0]
    assert finish_erasures() == 0
    assert "C1" in log.read_text()
    scores_file(run_folder(run) / "predictions.parquet", "C1", "C2")
    TrainingRun.objects.filter(pk=run.pk).update(status=RunStatus.SUCCEEDED)
    assert finish_erasures() == 1
    assert log.read_text() == "reading [erased]\n"
    assert pl.read_parquet(run_folder(run) / "predictions.parquet")["customer"].to_list() == ["C2"]
    snapshot.refresh_from_db()
    assert (snapshot.erased, snapshot.customers) == (1, 3)
    assert finish_erasures() == 0


def test_work_that_began_later_does_not_hold_an_erasure_up(agent: Agent) -> None:
    run = TrainingRun.objects.create(agent=agent, status=RunStatus.TRAINING)
    erase("", "C1")
    assert Erasure.objects.get().pending
    TrainingRun.objects.filter(pk=run.pk).update(created_at=timezone.now() + dt.timedelta(minutes=1))
    assert finish_erasures() == 1


def test_versions_made_from_tainted_ones_are_tainted(agent: Agent) -> None:
    first = ModelVersion.objects.get()
    erase("", "C1")
    fresh = build_snapshot()
    made: list[ModelVersion] = []
    for number, parent in ((2, first), (3, None)):
        run = TrainingRun.objects.create(agent=agent, snapshot=fresh, status=RunStatus.SUCCEEDED)
        made.append(
            ModelVersion.objects.create(
                agent=agent, number=number, run=run, snapshot=fresh, parent=parent, artifact_sha256="0"
            )
        )
    assert tainted_versions("") == [made[0], first]
    assert not untold_versions("").exists()


@pytest.mark.parametrize(
    ("text", "scrubbed"),
    [
        ("customer 7 of 7 epochs", "customer [erased] of 7 epochs"),
        ("customer_id=7, loss 7", "customer_id=[erased], loss 7"),
        ("customers: 70", "customers: 70"),
        ('{"customer": "7", "step": 7}', '{"customer": "[erased]", "step": 7}'),
    ],
)
def test_a_short_number_is_the_customer_only_after_the_word(text: str, scrubbed: str) -> None:
    assert Scrubber("7").text(text) == scrubbed
    assert not telling("7")
    assert (telling("C1"), telling("12346")) == (True, True)


def test_values_of_short_numbers_are_found_by_their_names() -> None:
    value = {"customer": "7", "steps": ["7"], "customers": ["7", "8"], "of": 7}
    assert Scrubber("7").value(value) == {
        "customer": "[erased]",
        "steps": ["7"],
        "customers": ["[erased]", "8"],
        "of": 7,
    }


def test_names_are_found_as_their_script_writes_them() -> None:
    scrubber = Scrubber("C0042", ["李伟", "May", "Rose Garden"])
    assert scrubber.text("客户李伟说，3 May; ROSE GARDEN, Rose Gardener") == (
        "客户[erased]说，3 May; [erased], Rose Gardener"
    )


def test_ids_are_found_by_their_digests_afterwards(agent: Agent) -> None:
    note_erasure("", "CUST-0042")
    later = Scrubber(suppressed=Suppressed())
    assert later.text("read CUST-0042, then (CUST-0042). Not CUST-00421") == (
        "read [erased], then ([erased]). Not CUST-00421"
    )


def test_an_export_holds_everything_and_says_so_in_the_audit(
    agent: Agent, manager: User, agents_root: Path
) -> None:
    Feedback.objects.create(agent=agent, customer_id="C1", verdict="wrong", reason="moved", user=manager)
    mine = item(agent, "C1", text="Where is it?", status="agreed")
    Annotation.objects.create(item=mine, kind="label", label="left", user=manager)
    scores_file(agents_root / "records" / "churn" / "1" / "predictions.parquet", "C1", "C2")
    audit.record(agent, "version.promoted", "churn v1", detail={"override_reason": "C1 is wrong"})
    found = export("", "C1", user=manager)
    with zipfile.ZipFile(BytesIO(as_zip(found))) as archive:
        assert archive.namelist() == ["customer.json"]
        assert json.loads(archive.read("customer.json")) == found
    assert found["record"]["name"] == "Customer 1"
    assert found["scores"] == [
        {
            "agent": "churn",
            "version": 1,
            "as_of": "2011-12-09T12:50:00Z",
            "live": True,
            "shadow": False,
            "score": 0.9,
            "payload": {"reasons": []},
        }
    ]
    assert found["answers"]["churn"]["probability"] == 0.9
    assert [(row["verdict"], row["reason"], row["by"]) for row in found["feedback"]] == [
        ("wrong", "moved", "manager")
    ]
    assert found["labels"][0]["answers"][0]["label"] == "left"
    assert len(found["snapshot"]["events"]) == 3
    assert found["snapshot"]["customer"]["customer"] == "C1"
    assert found["files"] == {"records/churn/1/predictions.parquet": [{"customer": "C1", "score": 0.5}]}
    assert [entry["action"] for entry in found["audit"] if entry["agent"] == "churn"] == [
        "version.promoted",
        "customer.exported",
    ]
    assert "C2" not in json.dumps(found)


def test_old_snapshots_go_unless_something_needs_them(agent: Agent, settings: Any) -> None:
    settings.CRM_AGENTS = {**settings.CRM_AGENTS, "KEPT_SNAPSHOTS": 2}
    live = Snapshot.objects.get()
    made = []
    for _number in range(4):
        snapshot = build_snapshot(full=True)
        made.append(snapshot)
        TrainingRun.objects.create(agent=agent, snapshot=snapshot, status=RunStatus.FAILED)
    TrainingRun.objects.filter(snapshot=made[0]).update(status=RunStatus.TRAINING)
    assert remove_old_snapshots("") == 1
    assert [snapshot.pk for snapshot in Snapshot.objects.filter(removed_at=None)] == [
        made[3].pk,
        made[2].pk,
        made[0].pk,
        live.pk,
    ]
    made[1].refresh_from_db()
    with pytest.raises(SnapshotRemoved):
        snapshot_folder(made[1])
    assert remove_old_snapshots("") == 0


def test_snapshots_and_run_folders_go_with_age(agent: Agent, agents_root: Path) -> None:
    long_ago = timezone.now() - dt.timedelta(days=400)
    live = Snapshot.objects.get()
    old, newest = build_snapshot(full=True), build_snapshot(full=True)
    Snapshot.objects.update(created_at=long_ago)
    ended = TrainingRun.objects.create(
        agent=agent, snapshot=old, status=RunStatus.FAILED, created_at=long_ago, finished_at=long_ago
    )
    active = TrainingRun.objects.create(agent=agent, status=RunStatus.TRAINING, created_at=long_ago)
    recent = TrainingRun.objects.create(
        agent=agent, status=RunStatus.SUCCEEDED, created_at=long_ago, finished_at=timezone.now()
    )
    for run in (ended, active, recent):
        write(run_folder(run) / "trainer.log", "")
    write(agents_root / "runs" / "notes" / "mine.txt", "")
    tidied = tidy()
    assert (tidied.snapshots, tidied.run_folders, tidied.erasures) == (1, 1, 0)
    assert set(Snapshot.objects.filter(removed_at=None)) == {live, newest}
    assert sorted(path.name for path in (agents_root / "runs").iterdir()) == sorted(
        [str(active.pk), str(recent.pk), "notes"]
    )


def agent_command(*arguments: str, capsys: pytest.CaptureFixture[str]) -> str:
    call_command("agent", *arguments)
    return capsys.readouterr().out


def test_the_commands(agent: Agent, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert (
        agent_command("opt-out", "C2", "--reason", "asked", capsys=capsys) == "The customer is opted out.\n"
    )
    assert agent_command("opt-out", "C2", capsys=capsys) == "The customer had opted out already.\n"
    assert "takes part again" in agent_command("opt-out", "C2", "--undo", capsys=capsys)
    assert agent_command("opt-out", "C2", "--undo", capsys=capsys) == "The customer had not opted out.\n"
    assert json.loads(agent_command("export-customer", "C1", capsys=capsys))["customer_id"] == "C1"
    for name in ("c1.zip", "c1.json"):
        out = tmp_path / name
        assert (
            agent_command("export-customer", "C1", "--out", str(out), capsys=capsys) == f"Written to {out}.\n"
        )
        assert out.stat().st_size > 100
    lines = agent_command("erase", "C1", "--with-record", capsys=capsys).splitlines()
    assert lines[0] == "Rows about this customer that are erased: 5."
    assert lines[-2:] == [
        "Snapshots cleaned: 1.",
        "Trained on data that held erased customers, so train anew: churn v1.",
    ]
    assert not Customer.objects.filter(code="C1").exists()
    again = json.loads(agent_command("erase", "C1", "--json", capsys=capsys))
    assert again["rows"] == {}
