"""What the label queue's order is worth: Banking77 with its labels hidden and revealed one by one.

    python -m benchmarks.labelling [--seeds 0 1 2] [--most 1540] [--batch 77] [--quick]

Our own ordering (`services.labelling.ordering.arrange`) against random order. After each batch TF-IDF with
logistic regression (the queue's own text model) is fitted on the labels so far and tested on the set's own
test questions. Both orders of a seed share their first batch, which is random. Then confident learning on
the training set with planted errors: how many it finds, and how many of its finds are errors.
"""

import argparse
import csv
import gzip
import sys
import time
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer

from benchmarks.report import data_file, report, skip
from crm_agents.services.labelling.ordering import Floats, Positions, arrange, margin_uncertainty

DATA = "banking77"
PLANTED = 0.05
ORDERS = ("uncertainty", "random")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--most", type=int, default=1540, help="labels revealed")
    parser.add_argument("--batch", type=int, default=77, help="labels between two fittings")
    parser.add_argument("--quick", action="store_true", help="one seed, few labels, a part of the errors")
    arguments = parser.parse_args()
    train, test = data_file(f"{DATA}/train.csv.gz"), data_file(f"{DATA}/test.csv.gz")
    if train is None or test is None:
        skip(figure="labels needed", why=f"{DATA}/train.csv.gz and test.csv.gz are not at hand")
        sys.exit(0)
    texts, labels = _read(train)
    shown, truth = _read(test)
    features, unseen = _features(texts, shown)
    seeds = arguments.seeds[:1] if arguments.quick else arguments.seeds
    most = 462 if arguments.quick else arguments.most
    curves: dict[str, list[list[float]]] = {order: [] for order in ORDERS}
    for seed in seeds:
        for order in ORDERS:
            curve = []
            for count, accuracy in _curve(
                features, labels, unseen, truth, order=order, seed=seed, batch=arguments.batch, most=most
            ):
                report(
                    figure="accuracy",
                    value=accuracy,
                    unit="share",
                    data=DATA,
                    seed=seed,
                    order=order,
                    labels=count,
                )
                curve.append(accuracy)
            curves[order].append(curve)
    _report_gain(curves, arguments.batch, seeds)
    for noise in ("any answer", "likeliest other answer"):
        _report_errors(
            texts, labels, noise=noise, seed=seeds[0], part=3000 if arguments.quick else len(texts)
        )


def _curve(
    features: Any,
    labels: np.ndarray[Any, Any],
    unseen: Any,
    truth: np.ndarray[Any, Any],
    *,
    order: str,
    seed: int,
    batch: int,
    most: int,
) -> Iterator[tuple[int, float]]:
    """Yield the number of labels revealed and the accuracy on the test questions, batch after batch."""
    from crm_agents.services.labelling.text_model import fitted_probabilities, text_vectors

    vectors = text_vectors(features, seed=seed)
    shuffled = np.random.default_rng(seed).permutation(len(labels))
    known, left = shuffled[:batch], shuffled[batch:]
    while True:
        both = _stacked(unseen, features[left] if order == "uncertainty" else unseen[:1])
        answers, found = fitted_probabilities(features[known], list(labels[known]), both)
        foretold = np.asarray(answers)[found[: len(truth)].argmax(axis=1)]
        yield len(known), float((foretold == truth).mean())
        if len(known) + batch > most:
            return
        chosen = _next(found[len(truth) :], vectors[left], order=order, seed=seed, batch=batch)
        known, left = np.concatenate([known, left[chosen]]), np.delete(left, chosen)


def _next(probabilities: Floats, vectors: Floats, *, order: str, seed: int, batch: int) -> Positions:
    """Return the positions of the next batch: our order's first items, or simply the next ones."""
    if order == "random":
        return np.arange(batch)  # they are shuffled
    nothing_drawn = np.zeros(len(vectors), dtype=bool)
    uncertainty = margin_uncertainty(probabilities)
    return arrange(uncertainty, nothing_drawn, vectors=vectors, seed=seed, batch=batch)[:batch]


def _report_gain(curves: dict[str, list[list[float]]], batch: int, seeds: Sequence[int]) -> None:
    """Report, for the mean curves, how many labels each order needs for what random order ends with."""
    mean = {order: np.mean(found, axis=0) for order, found in curves.items()}
    counts = batch * (1 + np.arange(len(mean["random"])))
    for order, values in mean.items():
        for count, value in zip(counts, values, strict=True):
            report(
                figure="mean accuracy",
                value=float(value),
                unit="share",
                data=DATA,
                order=order,
                labels=int(count),
                seeds=list(seeds),
            )
    for goal in (mean["random"][len(counts) // 2], mean["random"][-1]):
        needed = {order: _needed(counts, values, goal) for order, values in mean.items()}
        report(
            figure="labels needed",
            value=needed["uncertainty"],
            unit="labels",
            data=DATA,
            goal=round(float(goal), 4),
            random=needed["random"],
            seeds=list(seeds),
        )


def _needed(counts: Any, values: Any, goal: float) -> int | None:
    reached = np.flatnonzero(values >= goal)
    return int(counts[reached[0]]) if len(reached) else None


def _report_errors(
    texts: Sequence[str], labels: np.ndarray[Any, Any], *, noise: str, seed: int, part: int
) -> None:
    """Plant wrong labels and report how many of them are found, and how many finds are wrong labels."""
    from crm_agents.services.labelling.confident import suspicions
    from crm_agents.services.labelling.text_model import held_out_probabilities, text_features

    generator = np.random.default_rng(seed)
    chosen = generator.permutation(len(labels))[:part]
    said = labels[chosen].copy()
    features: Any = text_features([texts[at] for at in chosen])
    started = time.process_time()
    planted = generator.permutation(part)[: round(PLANTED * part)]
    if noise == "any answer":
        names = np.unique(labels)
        other = [generator.choice(names[names != said[at]]) for at in planted]
    else:
        answers, found = held_out_probabilities(features, list(said), seed=seed)
        for row, label in enumerate(said):
            found[row, answers.index(label)] = -1
        other = [answers[at] for at in found[planted].argmax(axis=1)]
    said[planted] = other
    answers, probabilities = held_out_probabilities(features, list(said), seed=seed)
    doubted = np.asarray([value is not None for value in suspicions(list(said), answers, probabilities)])
    wrong = np.zeros(part, dtype=bool)
    wrong[planted] = True
    shared: dict[str, Any] = {
        "data": DATA,
        "seed": seed,
        "noise": noise,
        "rows": part,
        "planted": len(planted),
    }
    hits = int((doubted & wrong).sum())
    report(figure="label errors found", value=hits / len(planted), unit="recall", **shared)
    report(figure="label errors right", value=hits / max(int(doubted.sum()), 1), unit="precision", **shared)
    report(figure="label errors", value=time.process_time() - started, unit="CPU seconds", **shared)


def _read(path: Any) -> tuple[list[str], np.ndarray[Any, Any]]:
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return [row["text"] for row in rows], np.asarray([row["category"] for row in rows])


def _features(texts: Sequence[str], unseen: Sequence[str]) -> tuple[Any, Any]:
    """Return the queue's own TF-IDF rows of both; the vocabulary is that of `texts` alone."""
    words = TfidfVectorizer(sublinear_tf=True, ngram_range=(1, 2), dtype=np.float32)
    pieces = TfidfVectorizer(sublinear_tf=True, analyzer="char_wb", ngram_range=(2, 4), dtype=np.float32)
    return (
        _beside(words.fit_transform(texts), pieces.fit_transform(texts)),
        _beside(words.transform(unseen), pieces.transform(unseen)),
    )


def _beside(*parts: Any) -> Any:
    from scipy.sparse import hstack

    return hstack(parts).tocsr()


def _stacked(*parts: Any) -> Any:
    from scipy.sparse import vstack

    return vstack(parts).tocsr()


if __name__ == "__main__":
    main()
