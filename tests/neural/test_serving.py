"""A model kept loaded: the same answers as a scoring's, and newer ones after an event."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from handoff.config import TrainingConfig
from handoff.dataset import CUSTOMERS, EVENTS, LABELS, Dataset
from handoff.files import sha256_of
from handoff.serving import Known, Question, Reply, Served
from neural.data.world import scoring_world
from neural.scoring import INSTANT, answers_of_shard
from neural.serving.loop import Server
from neural.serving.resident import Resident
from neural.training import train
from neural.windows import parse_time, to_days
from tests.neural.shop import CHURN, NEXT_PRODUCT, SHARDS, SMALL, START, event, shop_rows, write_dataset

DAY = 420.0  # later than the shop's other events
AS_OF = (START + timedelta(days=DAY)).isoformat()
LATER = 1e-3  # what a sum in another order may change in a score of four digits


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    rows = shop_rows(120)
    rows.append(event("c7777", 10, None, kind="email"))  # never bought anything
    rows.append(event("c0500", DAY, "p11", basket="last"))  # the last event: at the very moment of the scores
    return write_dataset(tmp_path_factory.mktemp("served"), rows)


def trained(folder: Path, dataset: Dataset, base: dict[str, Any]) -> Path:
    TrainingConfig.from_mapping({"dataset": str(dataset.folder), **SMALL, **base, "epochs": 2}).write(folder)
    assert train(folder).status == "succeeded"
    return folder / "artifact"


@pytest.fixture(scope="module")
def artifact(tmp_path_factory: pytest.TempPathFactory, dataset: Dataset) -> Path:
    return trained(tmp_path_factory.mktemp("recommender"), dataset, NEXT_PRODUCT)


def served(artifact: Path, dataset: Dataset) -> Served:
    return Served(str(artifact), sha256_of(artifact / "manifest.json"), str(dataset.folder), AS_OF)


@pytest.fixture(scope="module")
def resident(artifact: Path, dataset: Dataset) -> Resident:
    return Resident(served(artifact, dataset), artifact.parent)


def batch(artifact: Path, dataset: Dataset) -> dict[str, tuple[Any, Any]]:
    frames = [answers_of_shard(artifact, dataset, shard, AS_OF) for shard in range(SHARDS)]
    return {row[0]: (row[1], json.loads(row[2])) for row in pl.concat(frames).iter_rows()}


def with_events(known: Known, *rows: dict[str, Any]) -> Known:
    return replace(known, events=pl.concat([known.events, pl.DataFrame(list(rows), schema=EVENTS)]))


def same(found: tuple[Any, Any], expected: tuple[Any, Any]) -> None:
    (score, payload), (batch_score, batch_payload) = found, expected
    assert score == pytest.approx(batch_score, abs=LATER)
    assert payload["source"] == batch_payload["source"]
    scores = {item["product"]: item["score"] for item in payload["items"]}
    wanted = {item["product"]: item["score"] for item in batch_payload["items"]}
    last = min([*scores.values(), *wanted.values()])
    assert {**dict.fromkeys(wanted, last), **scores} == pytest.approx(
        {**dict.fromkeys(scores, last), **wanted}, abs=LATER
    )
    reasons = {item["product"]: item["reasons"] for item in batch_payload["items"]}
    assert all(item["reasons"] == reasons.get(item["product"], item["reasons"]) for item in payload["items"])


def test_without_a_new_event_the_answer_is_that_of_the_scoring(
    resident: Resident, artifact: Path, dataset: Dataset
) -> None:
    scored = batch(artifact, dataset)
    for customer in [*sorted(scored)[::7], "c7777", "c0500"]:
        score, payload, as_of = resident.answer(customer, resident.of_dataset(customer))
        same((score, json.loads(payload)), scored[customer])
        assert as_of == parse_time(AS_OF)


def test_with_a_new_event_the_answer_is_that_of_a_scoring_before_the_same_crowd(
    resident: Resident, artifact: Path, dataset: Dataset, tmp_path: Path
) -> None:
    new = event("c0003", DAY + 3.5, "p25", basket="new"), event("c0003", DAY + 3.5, "p17", basket="new")
    moment = to_days(START + timedelta(days=DAY + 3.5)) + INSTANT
    crowd = resident.opened.task.world
    rows = [*dataset.events().collect().iter_rows(named=True), *new]
    newer = write_dataset(tmp_path, rows)
    whole = scoring_world(
        crowd.config, newer, crowd.vocabulary, crowd.scale, crowd.limits, cuts=(moment - 30, moment)
    )
    task = type(resident.opened.task)(
        replace(whole, start=crowd.start, cuts=crowd.cuts, crowd=crowd), resident.opened.task.learnt
    )
    names = ["c0001", "c0002", "c0003", "c0004"]
    frame = task.score(resident.opened.model, resident.opened.calibration, moment, names)
    expected = {row[0]: (row[1], json.loads(row[2])) for row in frame.iter_rows()}

    known = with_events(resident.of_dataset("c0003"), *new)
    score, payload, as_of = resident.answer("c0003", known)
    same((score, json.loads(payload)), expected["c0003"])
    assert as_of == START + timedelta(days=DAY + 3.5)
    before = resident.answer("c0003", resident.of_dataset("c0003"))
    assert [i["product"] for i in json.loads(payload)["items"]] != [
        i["product"] for i in json.loads(before[1])["items"]
    ]
    bought = {i["product"]: i["reasons"] for i in json.loads(payload)["items"]}.get("p25", [])
    assert all(reason.get("days_since", 0) == 0 for reason in bought if reason["code"] == "repeat")


def test_the_last_known_event_counts_and_a_future_one_moves_the_moment(resident: Resident) -> None:
    known = resident.of_dataset("c0500")
    assert json.loads(resident.answer("c0500", known)[1])["source"] == "model"
    without = replace(known, events=known.events.clear())
    assert json.loads(resident.answer("c0500", without)[1])["source"] == "popularity"


def test_a_new_customer_gets_an_answer_from_the_first_event(resident: Resident) -> None:
    nobody = Known()
    assert json.loads(resident.answer("new", nobody)[1])["source"] == "popularity"
    first = with_events(nobody, event("new", DAY + 1, "p01"))
    score, payload, _ = resident.answer("new", first)
    answer = json.loads(payload)
    assert answer["source"] == "model"
    assert score == answer["items"][0]["score"]
    assert all(item["product"] in resident.opened.task.world.vocabulary.products for item in answer["items"])


def test_a_product_that_the_model_does_not_know_is_no_obstacle(resident: Resident) -> None:
    before = resident.of_dataset("c0003")
    odd = event("c0003", DAY + 1, "brand new"), event("c0003", DAY + 1, None, kind="never heard of")
    score, payload, _ = resident.answer("c0003", with_events(before, *odd))
    assert score is not None
    assert json.loads(payload)["items"]


def test_what_staff_refused_since_is_left_out(resident: Resident) -> None:
    known = resident.of_dataset("c0003")
    first = json.loads(resident.answer("c0003", known)[1])["items"][0]["product"]
    said_at = START + timedelta(days=DAY)
    wrong = ("recommender", "item", "c0003", first, said_at, said_at, "wrong", "")
    labels = pl.DataFrame([wrong], schema=LABELS, orient="row")
    items = json.loads(resident.answer("c0003", replace(known, labels=labels))[1])["items"]
    assert first not in [item["product"] for item in items]


def test_churn_is_answered_too(tmp_path: Path, dataset: Dataset) -> None:
    artifact = trained(tmp_path / "churn", dataset, CHURN)
    resident = Resident(served(artifact, dataset), artifact.parent)
    scored = batch(artifact, dataset)
    for customer in sorted(scored)[::11]:
        score, payload, _ = resident.answer(customer, resident.of_dataset(customer))
        assert score == pytest.approx(scored[customer][0], abs=LATER)
        assert json.loads(payload).keys() == scored[customer][1].keys()


class Process:
    def __init__(self, root: Path) -> None:
        command = [sys.executable, "-m", "neural", "serve", "--root", str(root), "--models", "1"]
        self.child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, line: str) -> Reply:
        assert self.child.stdin is not None
        assert self.child.stdout is not None
        self.child.stdin.write(line)
        self.child.stdin.flush()
        return Reply.read(self.child.stdout.readline())


@pytest.fixture
def process(artifact: Path) -> Iterator[Process]:
    found = Process(artifact.parent)
    yield found
    found.child.kill()
    found.child.wait()


def test_the_process_answers_a_line_for_a_line_and_ends_with_its_input(
    process: Process, artifact: Path, dataset: Dataset, resident: Resident
) -> None:
    model = served(artifact, dataset)
    loaded = process.ask(Question(1, model).line())
    assert (loaded.id, loaded.error, parse_time(loaded.as_of)) == (1, "", parse_time(AS_OF))
    assert 50 < loaded.memory_mb < 4000
    known = resident.of_dataset("c0003")
    answer = process.ask(Question(2, model, "c0003", known).line())
    score, payload, as_of = resident.answer("c0003", known)
    assert (answer.id, answer.score, answer.payload) == (2, score, payload)
    assert parse_time(answer.as_of) == as_of
    process.child.communicate(timeout=20)
    assert process.child.returncode == 0


def test_garbage_is_answered_with_a_sentence_and_nothing_breaks(
    process: Process, artifact: Path, dataset: Dataset, tmp_path: Path
) -> None:
    for line in ("\n", "{}\n", "null\n", '{"id": 3, "model": {}}\n', "\ufffd\n"):
        reply = process.ask(line)
        assert "This line is no question" in reply.error
        assert reply.final
    raw = json.loads(Question(4, served(artifact, dataset), "c0003", Known()).line())
    assert "no table" in process.ask(json.dumps({**raw, "events": "!!"}) + "\n").error
    swapped = {**raw, "events": raw["people"]}
    assert "columns" in process.ask(json.dumps(swapped) + "\n").error
    damaged = tmp_path / "artifact"
    shutil.copytree(artifact, damaged)
    (damaged / "weights.safetensors").write_bytes(b"half")
    outside = process.ask(Question(5, replace(served(artifact, dataset), artifact=str(damaged))).line())
    assert "is outside the artifact root" in outside.error
    assert process.ask(Question(6, served(artifact, dataset)).line()).error == ""


def test_a_damaged_or_another_artifact_is_refused(artifact: Path, dataset: Dataset, tmp_path: Path) -> None:
    damaged = tmp_path / "artifact"
    shutil.copytree(artifact, damaged)
    weights = damaged / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1])
    server = Server(tmp_path, most=1)
    reply = server.reply(Question(1, replace(served(artifact, dataset), artifact=str(damaged))).line())
    assert "weights.safetensors differs from its recorded SHA-256" in reply.error
    assert reply.final
    other = replace(served(artifact, dataset), sha256="0" * 64)
    assert Server(artifact.parent, 1).reply(Question(2, other).line()).error
    missing = replace(served(artifact, dataset), dataset=str(tmp_path / "nowhere"))
    assert "nowhere" in Server(artifact.parent, 1).reply(Question(3, missing).line()).error


def test_only_so_many_models_stay_loaded(artifact: Path, dataset: Dataset) -> None:
    server = Server(artifact.parent, most=1)
    earlier = replace(served(artifact, dataset), as_of=(START + timedelta(days=DAY - 20)).isoformat())
    for number, model in enumerate((served(artifact, dataset), earlier)):
        assert server.reply(Question(number, model).line()).error == ""
    assert list(server._loaded) == [earlier]


def test_a_question_survives_the_line() -> None:
    people = pl.DataFrame([("C1", START, "{}")], schema=CUSTOMERS, orient="row")
    known = Known(pl.DataFrame([event("C1", 1, "p\u2028\n1", text="\n")], schema=EVENTS), people)
    question = Question(9, Served("a", "b", "c", AS_OF), "C\n1", known)
    assert question.line().count("\n") == 1
    read = Question.read(question.line())
    assert (read.id, read.model, read.customer) == (9, question.model, "C\n1")
    assert read.known.events.equals(known.events)
    assert read.known.people.equals(people)
