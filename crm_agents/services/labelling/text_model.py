"""A text classifier that costs seconds: enough to order a queue and to doubt a label.

TF-IDF and logistic regression, no more: it is fitted anew on a worker after every few labels, where a
fine-tuned encoder would take minutes. The agents' own models are trained elsewhere, by `neural`.
Everything of scikit-learn is imported when used, since pages import what stands beside this.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

FEWEST_LABELS = 20
DIMENSIONS = 64  # of the vectors that tell texts apart
STRENGTH = 10.0  # inverse of the regularisation: few labels, many words


def enough_labels(labels: Sequence[str]) -> bool:
    """Tell whether a model of these labels is better than none."""
    return len(labels) >= FEWEST_LABELS and len(set(labels)) >= 2


def text_features(texts: Sequence[str]) -> Any:
    """Return the sparse TF-IDF rows of `texts`: words, and pieces of words for forms and slips."""
    from scipy.sparse import hstack
    from sklearn.feature_extraction.text import TfidfVectorizer

    words = TfidfVectorizer(sublinear_tf=True, ngram_range=(1, 2), dtype=np.float32)
    pieces = TfidfVectorizer(sublinear_tf=True, analyzer="char_wb", ngram_range=(2, 4), dtype=np.float32)
    return hstack([words.fit_transform(texts), pieces.fit_transform(texts)]).tocsr()


def text_vectors(features: Any, *, seed: int = 0) -> Floats:
    """Return short dense vectors (N, D), near each other for like texts."""
    from sklearn.decomposition import TruncatedSVD
    from sklearn.preprocessing import normalize

    size = min(DIMENSIONS, min(features.shape) - 1)
    if size < 1:
        return np.zeros((features.shape[0], 1))
    vectors: Floats = normalize(TruncatedSVD(size, random_state=seed).fit_transform(features))
    return vectors


def fitted_probabilities(features: Any, labels: Sequence[str], wanted: Any) -> tuple[list[str], Floats]:
    """Fit on (features, labels); return the answers and the probability of each for `wanted` rows."""
    model = _model().fit(features, np.asarray(labels))
    return [str(answer) for answer in model.classes_], model.predict_proba(wanted)


def held_out_probabilities(
    features: Any, labels: Sequence[str], *, seed: int = 0
) -> tuple[list[str], Floats]:
    """Return the answers and, for each item, the probabilities by a model that did not see its label.

    Every answer needs at least two items.
    """
    from sklearn.model_selection import StratifiedKFold, cross_val_predict

    folds = StratifiedKFold(min(5, min(Counter(labels).values())), shuffle=True, random_state=seed)
    target = np.asarray(labels)
    found: Floats = cross_val_predict(_model(), features, target, cv=folds, method="predict_proba", n_jobs=1)
    return [str(answer) for answer in np.unique(target)], found


def _model() -> Any:
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(C=STRENGTH, max_iter=300)
