"""What a sealed text classifier says: of given texts, of a shard's customers, and of a dataset's labels."""

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from handoff.config import TrainingConfig
from handoff.dataset import Dataset
from handoff.errors import HandoffError
from handoff.files import read_json, write_bytes
from handoff.scores import SCORES
from neural.text.artifact import open_classifier
from neural.text.classifier import Answers, Classifier
from neural.text.labels import UNKNOWN, read_labels
from neural.text.measures import at_threshold, label_curves, label_metrics
from neural.windows import EPOCH, parse_time, to_days

SHOWN = 3  # labels that are told of each text


def answer_texts(artifact: Path, texts: Path, *, root: Path, out: Path) -> int:
    """Answer JSON lines {"key", "text"} with lines {"key", "label", "probability", …}. Returns their number.

    "answered" says whether the label may be used without a person looking at it.
    """
    asked = list(_lines(texts))
    classifier, threshold = (
        open_classifier(artifact, root),
        read_json(artifact / "calibration.json")["threshold"],
    )
    answers = classifier.answer([line["text"] for line in asked])
    told = [
        json.dumps({"key": line.get("key"), **said}, ensure_ascii=False)
        for line, said in zip(asked, _said(classifier, answers, threshold), strict=True)
    ]
    write_bytes(out, "".join(f"{line}\n" for line in told).encode())
    return len(told)


def label_customers(
    artifact: Path, dataset: Dataset, *, root: Path, as_of: float, shard: int, customers: list[str]
) -> pl.DataFrame:
    """The newest text of each customer up to `as_of`, labelled; in the schema SCORES.

    The score is how sure it is that the text is one of the known labels'.
    """
    config = TrainingConfig.read(artifact)
    classifier, threshold = (
        open_classifier(artifact, root),
        read_json(artifact / "calibration.json")["threshold"],
    )
    newest = _newest(dataset, shard, as_of, config.active_days)
    answers = classifier.answer(newest["text"].to_list()) if len(newest) else None
    found: dict[str, tuple[float | None, dict[str, Any]]] = {}
    if answers is not None:
        said = _said(classifier, answers, threshold)
        for customer, at, words in zip(newest["customer"], newest["at"], said, strict=True):
            found[customer] = (words["scope"], {**words, "at": at.isoformat()})
    nothing = (None, {"missing": [{"code": "no_text", "days": config.active_days}]})
    rows = [(name, *found.get(name, nothing)) for name in customers]
    told = [(name, score, json.dumps(payload, ensure_ascii=False)) for name, score, payload in rows]
    return pl.DataFrame(told, schema=SCORES, orient="row")


def evaluate_labels(
    artifact: Path, dataset: Dataset, *, root: Path, test_cutoff: str | None
) -> dict[str, Any]:
    """Measure a sealed classifier on the labels from `test_cutoff` on (default: as in training)."""
    config, model = TrainingConfig.read(artifact), read_json(artifact / "model.json")
    begin = to_days(parse_time(test_cutoff or model["windows"]["test"][0]))
    if begin < to_days(parse_time(model["windows"]["test"][0])):
        raise HandoffError(
            f"test_cutoff lies too early: the model learnt from labels up to {model['windows']['test'][0]}."
        )
    rows = read_labels(config, dataset).filter(pl.col("at") >= EPOCH + timedelta(days=begin))
    classifier, threshold = (
        open_classifier(artifact, root),
        read_json(artifact / "calibration.json")["threshold"],
    )
    number = {name: index for index, name in enumerate(classifier.names)}
    label = np.asarray([number.get(name, UNKNOWN) for name in rows["label"]], np.int64)
    answers = classifier.answer(rows["text"].to_list()) if len(rows) else None
    probability = answers.probability if answers else np.zeros((0, len(number)))
    inside = np.flatnonzero(label != UNKNOWN)
    scope = {} if answers is None else at_threshold(answers.scope, answers.best == label, threshold)
    last = rows["at"].to_list()[-1:]  # sorted by time
    end = last[0].isoformat() if last else model["windows"]["test"][1]
    return {
        "windows": {**model["windows"], "test": [(EPOCH + timedelta(days=begin)).isoformat(), end]},
        "counts": {"test": len(rows)},
        "metrics": {"model": {**label_metrics(label[inside], probability[inside]), **scope}, "baselines": {}},
        "curves": label_curves(classifier.names, label[inside], probability[inside]),
    }


def _said(classifier: Classifier, answers: Answers, threshold: float | None) -> list[dict[str, Any]]:
    order = np.argsort(-answers.probability, axis=1, kind="stable")[:, :SHOWN]
    found = []
    for row, (places, scope) in enumerate(zip(order.tolist(), answers.scope.tolist(), strict=True)):
        items = [
            {
                "label": classifier.names[place],
                "probability": round(float(answers.probability[row, place]), 4),
            }
            for place in places
        ]
        answered = threshold is not None and scope >= threshold
        found.append({**items[0], "scope": round(scope, 4), "answered": answered, "alternatives": items[1:]})
    return found


def _newest(dataset: Dataset, shard: int, as_of: float, days: int) -> pl.DataFrame:
    until = EPOCH + timedelta(days=as_of)
    events = dataset.events(shard).filter(
        pl.col("text").str.strip_chars() != "",
        pl.col("at") < until,
        pl.col("at") >= until - timedelta(days=days),
    )
    ordered = events.select("customer", "at", "text").sort("at", "text").collect()
    return ordered.unique("customer", keep="last", maintain_order=True).sort("customer")


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    """Read the texts. Raises HandoffError naming a line that is not one."""
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise HandoffError(f"{path} cannot be read: {error}.") from error
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            found = json.loads(line)
        except ValueError:
            found = None
        if not isinstance(found, dict) or not isinstance(found.get("text"), str):
            raise HandoffError(f'{path}, line {number}: a JSON object with "text" (and "key") is needed.')
        yield found
