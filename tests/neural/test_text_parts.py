"""The parts of a text classifier: the split by time, pooling, and the figures."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.special import softmax

from handoff.dataset import Dataset
from handoff.errors import NotEnoughData
from handoff.files import read_json, write_json
from handoff.missing import plain
from neural.text.classifier import fit_frozen, nearest
from neural.text.labels import UNKNOWN, Split, read_labels, split_labels
from neural.text.lexical import Lexical, read_sparse, sparse_arrays
from neural.text.linear import fit_logistic, fit_margin, fit_weights, pool
from neural.text.measures import at_threshold, choose_threshold, label_curves, label_metrics, wilson_low
from neural.windows import to_iso
from tests.neural.shop import START
from tests.neural.texts import labelled, text_config, write_labels


def split(folder: Path, rows: list[dict[str, Any]], *, test: bool = True, **values: Any) -> Split:
    dataset = write_labels(folder, rows)
    config = text_config(dataset, **values)
    return split_labels(config, read_labels(config, dataset), test=test)


def test_labels_are_cut_by_the_moment_they_speak_of(tmp_path: Path) -> None:
    rows = labelled(120)
    for number, row in enumerate(rows):
        row["said_at"] = START + timedelta(days=500 - number)  # labelled in another order
    found = split(tmp_path, rows)
    assert (found.by, found.names, found.left_out) == ("time", ["delivery", "invoice", "refund"], {})
    assert (len(found.train), len(found.validation), len(found.test)) == (80, 20, 20)
    assert found.train.frame["key"].to_list() == [f"q{number}" for number in range(80)]
    assert found.test.frame["key"].to_list() == [f"q{number}" for number in range(100, 120)]
    assert to_iso(found.windows.test)[:10] == "2020-04-09"


def test_without_the_test_window_nothing_of_it_is_there(tmp_path: Path) -> None:
    found = split(tmp_path, labelled(120), test=False)
    assert (len(found.train), len(found.validation), len(found.test)) == (80, 20, 0)


def test_labels_close_in_time_are_cut_by_their_order(tmp_path: Path) -> None:
    found = split(tmp_path, labelled(100, every=0.01))
    assert found.by == "order"
    assert (len(found.train), len(found.validation), len(found.test)) == (70, 15, 15)
    assert found.train.frame["at"].max() < found.validation.frame["at"].min()  # type: ignore[operator]
    assert found.windows.validation < found.windows.test < found.windows.end


def test_labels_of_one_moment_are_mixed_whatever_their_keys_say(tmp_path: Path) -> None:
    rows = sorted(labelled(120, every=0.0), key=lambda row: str(row["label"]))
    for number, row in enumerate(rows):
        row["key"] = f"q{number:03d}"
    found = split(tmp_path, rows)
    assert found.by == "order"
    assert set(found.test.label.tolist()) == {0, 1, 2}
    assert found.windows.validation < found.windows.test < found.windows.end


def test_a_given_test_window_is_kept(tmp_path: Path) -> None:
    found = split(tmp_path, labelled(120), test_cutoff="2020-03-21", horizon_days=10)
    assert (found.by, len(found.train), len(found.validation), len(found.test)) == ("time", 70, 10, 10)


def test_the_last_word_on_an_item_counts(tmp_path: Path) -> None:
    rows = labelled(90)
    again = {**rows[0], "label": "invoice", "said_at": START + timedelta(days=200)}
    found = split(tmp_path, [again, *rows])
    assert len(found.train) + len(found.validation) + len(found.test) == 90
    assert found.names[found.train.label[0]] == "invoice"


def test_what_is_no_labelled_text_of_this_agent_is_left_out(tmp_path: Path) -> None:
    rows = labelled(90)
    strangers = [
        {**rows[0], "key": "x1", "agent": "churn"},
        {**rows[0], "key": "x2", "subject": "customer"},
        {**rows[0], "key": "x3", "text": "  "},
    ]
    found = split(tmp_path, [*rows, *strangers])
    assert len(found.train) + len(found.validation) + len(found.test) == 90


def test_a_label_with_too_few_texts_is_left_out_and_counts_as_out_of_scope(tmp_path: Path) -> None:
    rows = labelled(120)
    for number in (0, 1, 119):
        rows[number]["label"] = "rare"
    found = split(tmp_path, rows)
    assert found.left_out == {"rare": 3}
    assert "rare" not in found.names
    assert len(found.train) == 78
    assert found.test.label[-1] == UNKNOWN
    assert len(found.test.known) == 19


@pytest.mark.parametrize(
    ("count", "values", "missing"),
    [
        (0, {}, ["labels (have 0, need 10)"]),
        (90, {"label": "refund"}, ["label_kinds (have 1, need 2)"]),
        (
            12,
            {},
            [f"label_texts (label {name}, have {have}, need 5)" for name, have in
             (("delivery", 3), ("invoice", 3), ("refund", 2))],
        ),
    ],
    ids=["none", "one kind", "few of each"],
)  # fmt: skip
def test_too_few_labels_are_an_answer(
    tmp_path: Path, count: int, values: dict[str, Any], missing: list[str]
) -> None:
    with pytest.raises(NotEnoughData) as answer:
        split(tmp_path, labelled(count, every=0.01, **values))
    assert [plain(fact) for fact in answer.value.missing] == missing


def test_words_come_back_from_their_files_as_they_were(tmp_path: Path) -> None:
    texts = ["where is my parcel", "where is the refund", "我想退货", "我想退款"]
    fitted = Lexical.fit(texts)
    write_json(tmp_path / "terms.json", fitted.terms())
    again = Lexical.read(read_json(tmp_path / "terms.json"), fitted.arrays())
    rows = fitted.features(texts)
    assert np.array_equal(rows.toarray(), again.features(texts).toarray())
    assert np.allclose(rows.multiply(rows).sum(axis=1), 1.0, atol=1e-6)
    assert np.array_equal(rows.toarray(), read_sparse("x", sparse_arrays("x", rows)).toarray())


def test_texts_without_a_common_word_are_told_apart_by_pieces() -> None:
    fitted = Lexical.fit(["我想退货", "请问发票"])
    assert list(fitted.views) == ["pieces"]
    assert fitted.features(["退货"]).nnz > 0


def test_a_word_of_one_text_alone_is_not_kept() -> None:
    words = Lexical.fit(["miller wants a refund", "a refund again"]).terms()["words"]
    assert "refund" in words
    assert "miller" not in words


@pytest.mark.parametrize("labels", [2, 3])
@pytest.mark.parametrize("fit", [fit_logistic, fit_margin])
def test_every_label_has_scores_of_its_own(labels: int, fit: Any) -> None:
    features = np.eye(labels, dtype=np.float32).repeat(6, axis=0)
    label = np.arange(labels).repeat(6)
    model = fit(features, label, False)
    assert model.weight.shape == (labels, labels)
    assert (model.scores(features).argmax(axis=1) == label).all()


def test_pooling_trusts_the_part_that_knows() -> None:
    rng = np.random.default_rng(0)
    truth = rng.normal(size=(4000, 3))
    label = np.asarray([rng.choice(3, p=row) for row in softmax(2 * truth, axis=1)])
    weights = fit_weights([truth, 50 * rng.normal(size=(4000, 3))], label)
    assert weights[0] == pytest.approx(2, rel=0.1)
    assert weights[1] < 0.01
    probability = pool([truth, np.zeros((4000, 3))], weights)
    assert np.allclose(probability.sum(axis=1), 1)
    measured = label_metrics(label, probability)
    assert measured["ece"] is not None
    assert measured["ece"] < 0.03


def test_a_classifier_of_words_finds_the_label_and_what_is_far_from_all() -> None:
    texts = ["refund my money", "money back please", "late parcel", "parcel is late"] * 3
    label = np.asarray([0, 0, 1, 1] * 3)
    found = fit_frozen(["refund", "delivery"], texts, label, None, None, False)
    answers = found.answer(["money back", "parcel late", "qqq zzz"])
    assert found.path == "lexical"
    assert answers.best[:2].tolist() == [0, 1]
    assert answers.scope[2] < 0.1 < answers.scope[:2].min()


def test_nearest_is_the_best_cosine() -> None:
    memory = np.asarray([[1.0, 0.0], [0.0, 1.0]])
    assert nearest(np.asarray([[0.6, 0.8], [-1.0, 0.0]]), memory).tolist() == [0.8, 0.0]
    assert nearest(np.ones((2, 2)), memory[:0]).tolist() == [0.0, 0.0]


def test_metrics_of_a_small_window() -> None:
    label = np.asarray([0, 0, 1, 2])
    probability = np.asarray([[0.8, 0.1, 0.1], [0.3, 0.4, 0.3], [0.1, 0.8, 0.1], [0.2, 0.2, 0.6]])
    found = label_metrics(label, probability)
    assert found["accuracy"] == 0.75
    assert found["precision"] == pytest.approx((1 + 0.5 + 1) / 3)
    assert found["recall"] == pytest.approx((0.5 + 1 + 1) / 3)
    assert found["f1"] == pytest.approx((2 / 3 + 2 / 3 + 1) / 3)
    assert found["log_loss"] == pytest.approx(-np.log([0.8, 0.3, 0.8, 0.6]).mean())
    assert found["negative_log_loss"] == -found["log_loss"]  # type: ignore[operator]
    assert found["top3"] == 1.0
    curves = label_curves(["a", "b", "c"], label, probability)
    assert curves["labels"]["confusion"] == [[1, 1, 0], [0, 1, 0], [0, 0, 1]]
    assert curves["labels"]["each"][0] == {
        "label": "a", "precision": 1.0, "recall": 0.5, "f1": pytest.approx(2 / 3), "count": 2
    }  # fmt: skip
    assert set(label_metrics(label[:0], probability[:0]).values()) == {None}


def test_the_threshold_keeps_what_it_promises_with_a_margin() -> None:
    scope = np.linspace(1, 0, 200, endpoint=False)
    right = np.arange(200) < 100  # everything above one half, nothing below
    found = choose_threshold(scope, right, target=0.9)
    assert found["threshold"] > scope[110]
    assert found["low"] >= 0.9 > wilson_low(np.asarray([100 / 110]), np.asarray([110]))[0]
    assert found["coverage"] == pytest.approx(np.mean(scope >= found["threshold"]))
    reached = at_threshold(scope, right, found["threshold"])
    assert reached == {"coverage": found["coverage"], "answered_precision": found["precision"]}


def test_a_handful_of_right_answers_promises_nothing() -> None:
    found = choose_threshold(np.linspace(1, 0.5, 20), np.ones(20, bool), target=0.9)
    assert (found["threshold"], found["coverage"]) == (None, 0.0)
    assert at_threshold(np.ones(3), np.ones(3, bool), None) == {"coverage": 0.0, "answered_precision": None}
    assert choose_threshold(np.ones(30), np.arange(30) < 29)["threshold"] is None  # equal ones all or none


def test_a_label_of_one_text_is_left_out_whatever_the_minimum(tmp_path: Path) -> None:
    """Nothing would be left to learn it from while it is held out; one of the test alone is unknown yet."""
    rows = labelled(60)
    rows[3]["label"], rows[59]["label"] = "single", "later"
    config = text_config(write_labels(tmp_path, rows), minimum={"labels": 0})
    split = split_labels(config, read_labels(config, Dataset.open(config.dataset)), test=True)
    assert split.names == ["delivery", "invoice", "refund"]
    assert split.left_out == {"later": 1, "single": 1}
