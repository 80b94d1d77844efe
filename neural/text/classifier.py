"""A text classifier: scores by the vectors of a pretrained model and by words, pooled to probabilities."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from neural.data.history import Floats, Ints
from neural.text.lexical import Lexical
from neural.text.linear import (
    Features,
    Linear,
    fit_logistic,
    fit_margin,
    fit_weights,
    held_out_scores,
    pool,
)
from neural.text.vectors import Reader, Vectors

Fit = Callable[[Features, Ints, bool], Linear]

ROWS = 512  # texts compared with all known ones at a time


@dataclass(frozen=True)
class Answers:
    """N texts, C labels."""

    probability: Floats  # (N, C)
    near: Floats  # (N,) cosine to the most similar known text

    @property
    def best(self) -> Ints:
        return np.asarray(self.probability.argmax(axis=1), np.int64)

    @property
    def scope(self) -> Floats:
        """How sure it is that the text is one of the known labels': likely, and like one that was seen. (N,)

        Probabilities alone are high on nonsense too, and similarity alone does not know the labels.
        """
        return np.asarray(self.probability.max(axis=1) * np.clip(self.near, 0, 1))


@dataclass(frozen=True)
class Classifier:
    """`path` is "lexical" (words alone), "frozen" (with vectors as they are) or "tuned" (fine-tuned)."""

    names: list[str]  # of the C labels
    path: str
    lexical: Lexical
    words: Linear
    weights: Floats  # of the parts: vectors where there are any, then words
    memory: Features  # vectors, or else words, of the known texts: (K, D)
    reader: Reader | None = None
    dense: Linear | None = None

    def answer(self, texts: Sequence[str], vectors: Vectors | None = None) -> Answers:
        """`vectors` saves reading texts again that were read by this very classifier's reader."""
        features = self.lexical.features(texts)
        parts = [self.words.scores(features)]
        if self.reader is None or self.dense is None:
            return Answers(pool(parts, self.weights), nearest(features, self.memory))
        if vectors is None:
            vectors = self.reader.vectors(texts)
        parts.insert(0, self.dense.scores(vectors))
        return Answers(pool(parts, self.weights), nearest(vectors, self.memory))


def fit_frozen(
    names: list[str],
    texts: Sequence[str],
    label: Ints,
    reader: Reader | None,
    vectors: Vectors | None,
    balanced: bool,
) -> Classifier:
    """Fit words and, with `vectors`, a logistic regression on them; pool both by cross-validation."""
    lexical = Lexical.fit(texts)
    features = lexical.features(texts)
    held_out = [_held_out(fit_margin, features, label, len(names), balanced)]
    words = fit_margin(features, label, balanced)
    if reader is None or vectors is None:
        return Classifier(names, "lexical", lexical, words, fit_weights(held_out, label), features)
    dense = fit_logistic(vectors, label, balanced)
    held_out.insert(0, _held_out(fit_logistic, vectors, label, len(names), balanced))
    weights = fit_weights(held_out, label)
    return Classifier(names, "frozen", lexical, words, weights, vectors, reader, dense)


def _held_out(fit: Fit, features: Features, label: Ints, labels: int, balanced: bool) -> Floats:
    def on(rows: Ints) -> Callable[[Ints], Floats]:
        model = fit(features[rows], label[rows], balanced)
        return lambda others: model.scores(features[others])

    return held_out_scores(on, label, labels)


def nearest(vectors: Features, memory: Features) -> Floats:
    """Cosine of each row to the nearest of the memory; 0 where that is empty. (N, D), (K, D) -> (N,)"""
    found = np.zeros(vectors.shape[0])
    if memory.shape[0] == 0:
        return found
    for begin in range(0, len(found), ROWS):
        product = vectors[begin : begin + ROWS] @ memory.T  # (rows, K)
        best = product.max(axis=1)
        found[begin : begin + ROWS] = (best.toarray() if hasattr(best, "toarray") else best).ravel()
    return found
