"""Peers that are fitted at one moment and then give every customer a score for every product."""

from collections.abc import Callable

import numpy as np
from scipy import linalg, sparse

from benchmarks.peers.log import Array, Floats, Ints, Log
from neural.data.similarity import NEIGHBOURS, bm25
from neural.data.similarity import _strongest as strongest

Scorer = Callable[[Ints], Array]  # customers (Q,) -> scores (Q, P)

PERSONAL_DECAY = 180.0  # days, as all decays here
KNN_DECAY = 90.0
EASE_DECAY, EASE_RIDGE = 90.0, 100.0


def popularity(log: Log, moment: float, days: float = 28.0) -> Scorer:
    """Sales of the last days, the same for everyone."""
    sold = log.sold(moment - days, moment).astype(np.float32)
    return lambda customers: np.tile(sold, (len(customers), 1))


def personal_top(log: Log, moment: float) -> Scorer:
    """The customer's own most frequent products, older purchases weighing less; then what is popular."""
    counts, sold = log.counts(moment, PERSONAL_DECAY), log.sold(moment - 28, moment)
    filler = (1e-4 * sold / max(sold.max(initial=0), 1)).astype(np.float32)
    return lambda customers: counts[customers].toarray().astype(np.float32) + filler


def item_knn(log: Log, moment: float, decay: float = KNN_DECAY) -> Scorer:
    """Products bought by the same customers: similarity of products after BM25, 100 neighbours of each."""
    counts = log.counts(moment, decay)
    weighted = bm25(counts[np.unique(counts.nonzero()[0])])
    transposed = weighted.T.tocsr()
    parts = [
        strongest((transposed[at : at + 512] @ weighted).tocsr(), NEIGHBOURS)
        for at in range(0, log.products, 512)
    ]
    similar = sparse.csr_array(sparse.vstack(parts, format="csr"))
    return lambda customers: (counts[customers] @ similar).toarray().astype(np.float32)


def ease(log: Log, moment: float, decay: float = EASE_DECAY, ridge: float = EASE_RIDGE) -> Scorer:
    """Steck's closed-form linear autoencoder on decayed counts, among products that were ever sold."""
    counts = log.counts(moment, decay).astype(np.float32)
    known = np.flatnonzero(np.bincount(counts.indices, minlength=log.products))
    input_ = counts[:, known]
    gram = np.asarray((input_.T @ input_).todense(), np.float32)
    gram[np.diag_indices_from(gram)] += ridge
    inverse = linalg.inv(gram, overwrite_a=True, check_finite=False, assume_a="pos")
    weights = inverse / -np.diag(inverse)
    weights[np.diag_indices_from(weights)] = 0

    def scores(customers: Ints) -> Array:
        found = np.zeros((len(customers), log.products), np.float32)
        found[:, known] = input_[customers] @ weights
        return found

    return scores


def tifu_knn(
    log: Log,
    moment: float,
    *,
    group: int = 7,
    within: float = 0.9,
    between: float = 0.7,
    neighbours: int = 300,
    own: float = 0.7,
) -> Scorer:
    """TIFU-KNN (Hu et al. 2020): baskets weigh less the older, in groups; blended with similar customers'."""
    part = log.before(moment)
    baskets, line = np.unique(log.basket[part], return_inverse=True)
    owner = np.zeros(len(baskets), np.int64)
    owner[line] = log.customer[part]
    total = np.bincount(owner, minlength=log.customers)
    first = np.cumsum(total) - total
    age = total[owner] - 1 - (np.arange(len(baskets)) - first[owner])  # 0 for the newest
    groups = -(-total // group)
    sizes = np.where(age // group == groups[owner] - 1, total[owner] - (groups[owner] - 1) * group, group)
    weight = within ** (age % group) * between ** (age // group) / (sizes * groups[owner])
    vectors = log.matrix(part, weight[line]).astype(np.float32)
    known = np.flatnonzero(total)
    crowd = vectors[known]
    norm = np.asarray(crowd.multiply(crowd).sum(axis=1)).ravel()

    def scores(customers: Ints) -> Array:
        mine = vectors[customers]
        distance = norm[None, :] - 2 * (mine @ crowd.T).toarray()  # less the query's own norm
        distance[customers[:, None] == known[None, :]] = np.inf
        kept = min(neighbours, len(known) - 1)
        near = np.argpartition(distance, kept - 1, axis=1)[:, :kept]
        pick = sparse.csr_array(
            (np.full(near.size, 1 / kept, np.float32), near.ravel(), np.arange(0, near.size + 1, kept)),
            shape=(len(customers), len(known)),
        )
        found: Array = own * mine.toarray() + (1 - own) * (pick @ crowd).toarray()
        return found

    return scores


def up_cf(log: Log, moment: float, *, recent: int = 10, alpha: float = 0.25, locality: float = 5.0) -> Scorer:
    """UP-CF@r (Faggioli et al. 2020): how often similar customers had each product in their last baskets."""
    part = log.before(moment)
    baskets, line = np.unique(log.basket[part], return_inverse=True)
    owner = np.zeros(len(baskets), np.int64)
    owner[line] = log.customer[part]
    total = np.bincount(owner, minlength=log.customers)
    first = np.cumsum(total) - total
    age = total[owner] - 1 - (np.arange(len(baskets)) - first[owner])
    weight = np.where(age < recent, 1.0, 0.0) / np.minimum(total, recent)[owner]
    shares = log.matrix(part, weight[line]).astype(np.float32)
    shares.eliminate_zeros()
    size = np.asarray(shares.multiply(shares).sum(axis=1)).ravel().astype(np.float64)
    mine = np.divide(1, size**alpha, out=np.zeros_like(size), where=size > 0).astype(np.float32)
    theirs = np.divide(1, size ** (1 - alpha), out=np.zeros_like(size), where=size > 0).astype(np.float32)
    other = (sparse.diags_array(theirs) @ shares).T.tocsr()

    def scores(customers: Ints) -> Array:
        like = (sparse.diags_array(mine[customers]) @ shares[customers] @ other).tocsr()
        like.data **= locality
        found: Array = (like @ shares).toarray()
        return found

    return scores


def als(log: Log, moment: float, *, factors: int = 128, decay: float = PERSONAL_DECAY) -> Scorer:
    """implicit's alternating least squares on BM25-weighted decayed counts. Raises ImportError."""
    from implicit.als import AlternatingLeastSquares

    counts = log.counts(moment, decay)
    known = np.unique(counts.nonzero()[0])
    model = AlternatingLeastSquares(
        factors=factors, regularization=0.05, alpha=1.0, random_state=0, num_threads=1
    )
    model.fit(sparse.csr_matrix(bm25(counts[known])), show_progress=False)
    row = np.zeros(log.customers, np.int64)
    row[known] = np.arange(len(known))
    return lambda customers: model.user_factors[row[customers]] @ model.item_factors.T


def content(log: Log, moment: float) -> Scorer:
    """Products named like those the customer bought lately: it alone can rank what was never sold."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    text = TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 5), sublinear_tf=True)
    titles = sparse.csr_array(text.fit_transform(log.titles), dtype=np.float32)
    profiles = log.counts(moment, PERSONAL_DECAY).astype(np.float32) @ titles
    return lambda customers: (profiles[customers] @ titles.T).toarray()


def last_season(log: Log, moment: float) -> Floats:
    """Sales of the same 28 days a year ago. (P,)"""
    return log.sold(moment - 365, moment - 337)
