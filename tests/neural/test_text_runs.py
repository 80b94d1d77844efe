"""Text labels through the commands: trained, tried, stopped, killed, resumed, sealed and asked."""

import json
import shutil
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from handoff.dataset import Dataset
from handoff.errors import HandoffError
from handoff.files import read_json
from handoff.predictions import measure, read_predictions
from handoff.progress import Outcome
from neural.api import load
from neural.judging import judge
from neural.rates import find_rate
from neural.scoring import evaluate, score
from neural.text import course
from neural.text.artifact import open_classifier
from neural.training import train
from neural.trials import attempt
from tests.neural.shop import SHARDS, START, event, write_dataset
from tests.neural.test_run_folder import start, wait_for_steps, weights
from tests.neural.texts import labelled, make_model, text_config, write_labels

TUNED: dict[str, Any] = {"lora_rank": 2, "dropout": 0.2, "augment_mask": 0.2, "augment_drop": 0.1}


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_model(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return write_labels(tmp_path_factory.mktemp("texts"), labelled(240, every=0.5))


def run(folder: Path, dataset: Dataset, **values: Any) -> dict[str, Any]:
    text_config(dataset, **values).write(folder)
    assert train(folder).status == "succeeded"
    return read_json(folder / "evaluation.json")


@pytest.fixture(scope="module")
def tuned(tmp_path_factory: pytest.TempPathFactory, dataset: Dataset, model: Path) -> Path:
    """Two epochs of adapters; kept even where the simple parts did better on these easy texts."""
    folder = tmp_path_factory.mktemp("tuned")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(course.TextCourse, "_frozen_on_validation", lambda self: {})
        run(folder, dataset, text_model=str(model), **TUNED)
    return folder


def test_words_alone_beat_the_majority(tmp_path: Path, dataset: Dataset) -> None:
    record = run(tmp_path, dataset)
    metrics = record["metrics"]
    assert {name: record["counts"][name] for name in ("train", "validation", "test")} == {
        "train": 160,
        "validation": 40,
        "test": 40,
    }
    assert record["curves"]["texts"]["path"] == "lexical"
    assert record["curves"]["texts"]["not_tuned"] == "no_model"
    assert metrics["model"]["accuracy"] > 0.9 > metrics["baselines"]["majority"]["accuracy"]
    assert set(metrics["baselines"]) == {"majority", "tfidf_svm", "frozen"}
    assert not (tmp_path / "artifact" / "encoder").exists()


def test_all_layers_frozen_leaves_the_vectors_as_they_are(
    tmp_path: Path, dataset: Dataset, model: Path
) -> None:
    facts = run(tmp_path, dataset, text_model=str(model), freeze_layers=2)["curves"]["texts"]
    assert (facts["path"], facts["not_tuned"]) == ("frozen", "all_layers_frozen")
    assert facts["pretrained"]["name"] == "tiny"
    assert len(facts["weights"]) == 2


def test_few_labels_are_not_worth_fine_tuning(tmp_path: Path, model: Path) -> None:
    few = write_labels(tmp_path / "data", labelled(90))
    facts = run(tmp_path / "run", few, text_model=str(model))["curves"]["texts"]
    assert (facts["path"], facts["not_tuned"]) == ("frozen", "few_labels")
    text_config(few, text_model=str(model)).write(tmp_path / "range")
    with pytest.raises(HandoffError, match=r"nothing to fine-tune \(few_labels\)"):
        find_rate(tmp_path / "range")


def test_a_language_the_model_does_not_know_is_read_by_pieces_of_words(tmp_path: Path, model: Path) -> None:
    chinese = {"refund": "我想退货退款", "delivery": "包裹什么时候到", "invoice": "请给我发票"}
    rows = labelled(120)
    for number, row in enumerate(rows):
        row["text"] = f"{chinese[row['label']]}{number % 4}"
    found = run(tmp_path / "run", write_labels(tmp_path / "data", rows), text_model=str(model))
    assert found["curves"]["texts"]["not_tuned"] == "language"
    assert found["curves"]["texts"]["path"] == "lexical"
    assert found["metrics"]["model"]["accuracy"] == 1.0


def test_a_fine_tuned_model_is_sealed_with_its_tokenizer_and_answers_alike_anywhere(
    tuned: Path, tmp_path: Path
) -> None:
    record, artifact = read_json(tuned / "evaluation.json"), tuned / "artifact"
    assert record["curves"]["texts"]["path"] == "tuned"
    assert [row["epoch"] for row in record["curves"]["learning"]] == [1, 2]
    names = {path.name for path in artifact.rglob("*") if path.is_file()}
    assert {"weights.safetensors", "tokenizer.json", "terms.json", "model_card.json"} <= names
    assert not any(name.endswith((".pkl", ".bin", ".pt", ".joblib")) for name in names)
    moved = Path(shutil.copytree(artifact, tmp_path / "elsewhere"))
    answers = open_classifier(moved, tmp_path).answer(["where is my parcel today", "bill"])
    assert np.array_equal(
        answers.probability,
        open_classifier(artifact, tuned).answer(["where is my parcel today", "bill"]).probability,
    )
    rows = labelled(240, every=0.5)[200:]
    best = open_classifier(artifact, tuned).answer([row["text"] for row in rows]).best
    given = [["delivery", "invoice", "refund"].index(row["label"]) for row in rows]
    assert np.mean(best == np.asarray(given)) == record["metrics"]["model"]["accuracy"]


def test_a_damaged_or_foreign_artifact_is_refused(tuned: Path, tmp_path: Path) -> None:
    moved = Path(shutil.copytree(tuned / "artifact", tmp_path / "artifact"))
    with pytest.raises(HandoffError, match="outside the artifact root"):
        open_classifier(moved, tuned)
    (moved / "encoder" / "tokenizer.json").write_text("{}")
    with pytest.raises(HandoffError, match="differs from its recorded SHA-256"):
        open_classifier(moved, tmp_path)


def test_predictions_give_the_same_figures(tuned: Path) -> None:
    frame = read_predictions(tuned / "predictions.parquet")
    record = read_json(tuned / "evaluation.json")
    assert len(frame) == record["counts"]["test"]
    for method, metrics in {"model": record["metrics"]["model"], **record["metrics"]["baselines"]}.items():
        measured = measure(frame, method, ["accuracy", "negative_log_loss"])
        found = measured(np.ones((1, len(frame)), np.float32))[0]
        assert found == pytest.approx([metrics["accuracy"], metrics["negative_log_loss"]], abs=1e-6)
    assert set(frame["slice.subject"]) == {"question"}


def test_a_trial_reads_nothing_of_the_test_window(tmp_path: Path, model: Path) -> None:
    rows = labelled(240, every=0.5)
    reports = []
    for number, changed in enumerate(("refund", "invoice")):
        for row in rows[200:]:
            row.update(label=changed, text="something else altogether")
        data = write_labels(tmp_path / f"data{number}", rows)
        folder = tmp_path / f"run{number}"
        text_config(data, text_model=str(model), **TUNED).write(folder)
        assert attempt(folder).status == "succeeded"
        assert not (folder / "artifact").exists()
        reports.append(read_json(folder / "report.json"))
    first, second = ({**report, "seconds": 0} for report in reports)
    assert first == second
    assert first["metric"] == "negative_log_loss"
    assert first["validation"]["accuracy"] > 0.9
    assert first["parameters"] == 2 * 2 * 2 * (32 + 32) + 3 * 32 + 3


def test_a_killed_run_goes_on_to_bit_identical_weights(tmp_path: Path, dataset: Dataset, model: Path) -> None:
    values = {"text_model": str(model), "epochs": 3, **TUNED}
    run(tmp_path / "whole", dataset, **values)
    folder = tmp_path / "killed"
    text_config(dataset, **values).write(folder)
    for steps in (3, 1002):
        child = start(folder)
        wait_for_steps(folder, "training", steps, child)
        child.kill()
        child.wait()
        assert Outcome.read(folder) is None
    assert train(folder).status == "succeeded"
    assert weights(folder) == weights(tmp_path / "whole")
    ours, theirs = (read_json(path / "evaluation.json") for path in (folder, tmp_path / "whole"))
    assert {**ours, "seconds": 0} == {**theirs, "seconds": 0}


def test_a_range_test_suggests_a_rate(tmp_path: Path, dataset: Dataset, model: Path) -> None:
    text_config(dataset, text_model=str(model)).write(tmp_path)
    assert find_rate(tmp_path).status == "succeeded"
    assert len(read_json(tmp_path / "report.json")["points"]) > 10


def test_too_few_labels_are_an_answer_of_the_run(tmp_path: Path) -> None:
    none = write_labels(tmp_path / "data", [])
    text_config(none).write(tmp_path / "run")
    outcome = train(tmp_path / "run")
    assert (outcome.status, outcome.missing[0]["code"]) == ("not_enough_data", "labels")
    assert not (tmp_path / "run" / "artifact").exists()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"baselines": ["recency_rule"]}, "for texts there are majority, tfidf_svm, frozen"),
        ({"start": "/some/artifact"}, "a text task starts from text_model"),
        ({"text_model": "/no/such/folder"}, "is not a folder"),
    ],
)
def test_settings_that_do_not_fit_are_refused(
    tmp_path: Path, dataset: Dataset, values: dict[str, Any], message: str
) -> None:
    text_config(dataset, **values).write(tmp_path)
    with pytest.raises(HandoffError, match=message):
        train(tmp_path)


def test_rare_labels_can_count_as_much_as_common_ones(tmp_path: Path) -> None:
    rows = [row for row in labelled(300) if row["label"] != "refund" or int(row["key"][1:]) % 5 == 0]
    data = write_labels(tmp_path / "data", rows)
    plain, balanced = (
        run(tmp_path / kind, data, class_weight=kind)["metrics"]["model"] for kind in ("none", "balanced")
    )
    assert balanced["recall"] >= plain["recall"]


def test_export_in_fewer_bits_is_what_was_tested(tmp_path: Path, dataset: Dataset, model: Path) -> None:
    values = {"text_model": str(model), "freeze_layers": 2}
    whole = run(tmp_path / "fp32", dataset, **values)
    small = run(tmp_path / "int8", dataset, export="int8", **values)
    sizes = [
        (tmp_path / name / "artifact" / "weights.safetensors").stat().st_size for name in ("int8", "fp32")
    ]
    assert sizes[0] < sizes[1]
    assert abs(small["metrics"]["model"]["accuracy"] - whole["metrics"]["model"]["accuracy"]) < 0.1
    text = pl.DataFrame(labelled(10))["text"].to_list()
    first, again = (open_classifier(tmp_path / "int8" / "artifact", tmp_path).answer(text) for _ in range(2))
    assert np.array_equal(first.probability, again.probability)


def neural(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "neural", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True)


def test_texts_are_answered_by_the_command(tuned: Path, tmp_path: Path) -> None:
    asked, out = tmp_path / "texts.jsonl", tmp_path / "answers.jsonl"
    asked.write_text('{"key": "a", "text": "please refund the order"}\n\n{"text": "qqq"}\n', encoding="utf-8")
    artifact = tuned / "artifact"
    done = neural("answer", artifact, asked, "--root", tuned, "--out", out)
    assert (done.returncode, done.stderr) == (0, "")
    first, second = map(json.loads, out.read_text().splitlines())
    assert (first["key"], first["label"], second["key"]) == ("a", "refund", None)
    assert set(first) == {"key", "label", "probability", "scope", "answered", "alternatives"}
    assert len(first["alternatives"]) == 2
    assert second["scope"] < first["scope"]
    asked.write_text('{"key": "a"}\n')
    refused = neural("answer", artifact, asked, "--root", tuned, "--out", tmp_path / "none.jsonl")
    assert refused.returncode == 1
    assert 'line 1: a JSON object with "text"' in refused.stderr
    assert not (tmp_path / "none.jsonl").exists()


def test_customers_are_labelled_by_their_newest_text(tuned: Path, tmp_path: Path) -> None:
    rows = [
        event("c1", 10, None, kind="email", text="where is my parcel today"),
        event("c1", 20, None, kind="email", text="please refund the order"),
        event("c1", 40, None, kind="email", text="send me the invoice please"),
        event("c2", 10, "p1"),
    ]
    texts = write_dataset(tmp_path / "data", rows)
    as_of = (START + timedelta(days=30)).isoformat()
    found: dict[str, dict[str, Any]] = {}
    for shard in range(SHARDS):
        out = tmp_path / f"{shard}.parquet"
        score(tuned / "artifact", texts.folder, root=tuned, shard=shard, as_of=as_of, out=out)
        for row in pl.read_parquet(out).iter_rows(named=True):
            found[row["customer"]] = {"score": row["score"], **json.loads(row["payload"])}
    assert set(found) == {"c1", "c2"}
    assert (found["c1"]["label"], found["c1"]["at"][:10]) == ("refund", "2020-01-21")
    assert found["c1"]["score"] == found["c1"]["scope"] > 0
    assert found["c2"] == {"score": None, "missing": [{"code": "no_text", "days": 365}]}


def test_a_carried_text_model_answers_as_at_home(tuned: Path, tmp_path: Path) -> None:
    rows = [event(f"c{n}", 10, None, kind="email", text="please refund the order") for n in range(5)]
    texts = write_dataset(tmp_path / "data", rows)
    as_of = (START + timedelta(days=30)).isoformat()
    found = load(tuned / "artifact").score(texts, as_of)
    outs = [tmp_path / f"{shard}.parquet" for shard in range(SHARDS)]
    for shard, out in enumerate(outs):
        score(tuned / "artifact", texts.folder, root=tuned, shard=shard, as_of=as_of, out=out)
    assert len(found) == 5
    assert found.equals(pl.concat([pl.read_parquet(out) for out in outs]).sort("customer"))


def test_there_is_nothing_to_judge_of_a_text_model(tuned: Path, dataset: Dataset, tmp_path: Path) -> None:
    out, scores = tmp_path / "out.json", tmp_path / "scores.parquet"
    with pytest.raises(HandoffError, match="text_label foretells nothing"):
        judge(tuned / "artifact", dataset.folder, root=tuned, scores=scores, as_of="2020-02-01", out=out)
    assert not out.exists()


def test_a_sealed_model_is_measured_as_it_was(tuned: Path, dataset: Dataset, tmp_path: Path) -> None:
    out = tmp_path / "again.json"
    evaluate(tuned / "artifact", dataset.folder, root=tuned, test_cutoff=None, out=out)
    again, record = read_json(out), read_json(tuned / "evaluation.json")
    assert again["counts"]["test"] == record["counts"]["test"]
    assert again["metrics"]["model"] == pytest.approx(record["metrics"]["model"])
    with pytest.raises(HandoffError, match="test_cutoff lies too early"):
        evaluate(tuned / "artifact", dataset.folder, root=tuned, test_cutoff="2020-01-05", out=out)
