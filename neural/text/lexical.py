"""Words and pieces of words as numbers: TF-IDF. It needs no pretrained model and reads any language."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.preprocessing import normalize

from neural.text.storing import Arrays

# Words and pairs of them; pieces of two to four letters, which bear typing errors and need no spaces.
VIEWS: dict[str, dict[str, Any]] = {
    "words": {"analyzer": "word", "ngram_range": (1, 2), "token_pattern": r"(?u)\b\w+\b"},
    "pieces": {"analyzer": "char_wb", "ngram_range": (2, 4)},
}
MOST = 50_000  # terms of each view
MANY = 2000  # texts from which on a piece of one text alone is left out


@dataclass(frozen=True)
class Lexical:
    """The fitted views."""

    views: dict[str, TfidfVectorizer]

    @classmethod
    def fit(cls, texts: Sequence[str]) -> "Lexical":
        views = {}
        for name in VIEWS:
            # No word at all may stand in two texts; pieces of words always do.
            with suppress(ValueError):
                views[name] = _view(name, len(texts)).fit(texts)
        return cls(views)

    def features(self, texts: Sequence[str]) -> sp.csr_matrix:
        """Sparse rows of length 1, so that a product of two is their cosine. (N, F)"""
        parts = [view.transform(texts) for view in self.views.values()]
        return sp.csr_matrix(normalize(sp.hstack(parts).tocsr()), dtype=np.float32)

    def arrays(self) -> Arrays:
        return {f"{name}.idf": view.idf_.astype(np.float64) for name, view in self.views.items()}

    def terms(self) -> dict[str, list[str]]:
        return {name: view.get_feature_names_out().tolist() for name, view in self.views.items()}

    @classmethod
    def read(cls, terms: dict[str, list[str]], arrays: Arrays) -> "Lexical":
        views = {}
        for name in (name for name in VIEWS if name in terms):  # the columns' order, which JSON does not keep
            view = _view(name, 0, vocabulary={term: number for number, term in enumerate(terms[name])})
            view.idf_ = arrays[f"{name}.idf"]
            views[name] = view
        return cls(views)


def _view(name: str, texts: int, vocabulary: dict[str, int] | None = None) -> TfidfVectorizer:
    # A word of one text alone may be somebody's name: it teaches nothing and must not be kept.
    rarest = 2 if name == "words" or texts >= MANY else 1
    return TfidfVectorizer(
        sublinear_tf=True, min_df=rarest, max_features=MOST, vocabulary=vocabulary, **VIEWS[name]
    )


def sparse_arrays(name: str, rows: sp.csr_matrix) -> Arrays:
    """A sparse matrix as plain arrays."""
    return {
        f"{name}.data": rows.data.astype(np.float32),
        f"{name}.indices": rows.indices.astype(np.int64),
        f"{name}.indptr": rows.indptr.astype(np.int64),
        f"{name}.shape": np.asarray(rows.shape, np.int64),
    }


def read_sparse(name: str, arrays: Arrays) -> sp.csr_matrix:
    parts: list[npt.NDArray[Any]] = [arrays[f"{name}.{part}"] for part in ("data", "indices", "indptr")]
    return sp.csr_matrix(tuple(parts), shape=tuple(arrays[f"{name}.shape"].tolist()))
