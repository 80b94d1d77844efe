"""Which items people should label first: the ones a model is least sure of, varied, with a random share.

Margin sampling (Scheffer et al. 2001) after k-means over the ten most uncertain batches (Zhdanov 2019,
"Diverse mini-batch active learning"): labels near the decision, and not the same one twenty times. The
share drawn at random is interleaved, since only on it do accuracy and loss hold for the whole.

Knows nothing of Django: arrays in, positions out.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Positions = npt.NDArray[np.int64]

BATCH = 20  # labels between two looks at what is near each other
POOL = 10  # batches among which one is chosen for variety
VARIED = 10  # batches at the front that are varied: before they are through, the queue is ordered anew


def margin_uncertainty(probabilities: Floats) -> Floats:
    """Return 1 less the gap between the two likeliest answers of each row; (N, answers) to (N,), 0 to 1.

    Margins find what a label decides between; entropy and least confidence are drawn to noise first.
    """
    if probabilities.shape[1] < 2:
        return np.zeros(len(probabilities))
    top = np.partition(probabilities, -2, axis=1)[:, -2:]
    return 1.0 - (top[:, 1] - top[:, 0])


def uncertainty_of(probabilities: Mapping[str, float]) -> float:
    """Return the uncertainty of one item: 0 where a model has said nothing."""
    if len(probabilities) < 2:
        return 0.0
    return float(margin_uncertainty(np.asarray([list(probabilities.values())], dtype=np.float64))[0])


def draw(count: int, share: float, *, seed: int = 0) -> npt.NDArray[np.bool_]:
    """Return which of `count` items belong to the random share: a simple random sample of them."""
    drawn = np.zeros(count, dtype=bool)
    chosen = np.random.default_rng(seed).permutation(count)[: round(share * count)]
    drawn[chosen] = True
    return drawn


def arrange(
    uncertainty: Sequence[float] | Floats,
    drawn: npt.NDArray[np.bool_],
    *,
    vectors: Floats | None = None,
    seed: int = 0,
    batch: int = BATCH,
) -> Positions:
    """Return the positions of the items in the order of their labelling.

    The drawn items are spread evenly over the queue, so that of any first part of it the same share is
    drawn. The others follow by uncertainty, each batch varied by k-means where there are `vectors` (N, D).
    """
    values = np.asarray(uncertainty, dtype=np.float64)
    shuffled = np.random.default_rng(seed).permutation(len(values))  # so ties have no order of their own
    rest = shuffled[~drawn[shuffled]]
    ordered = rest[np.argsort(-values[rest], kind="stable")]
    if vectors is not None:
        ordered = varied(ordered, values, vectors, batch=batch, seed=seed)
    return _interleaved(ordered, shuffled[drawn[shuffled]])


def varied(
    ordered: Positions, uncertainty: Floats, vectors: Floats, *, batch: int = BATCH, seed: int = 0
) -> Positions:
    """Reorder `ordered` (most uncertain first) batch by batch: of each cluster its most uncertain item.

    Each of the first VARIED batches is chosen among the POOL * `batch` most uncertain items that are left.
    """
    left, chosen = ordered, []
    for _round in range(VARIED):
        if not len(left):
            break
        pool = left[: POOL * batch]
        picked = pool[diverse_batch(vectors[pool], uncertainty[pool], size=batch, seed=seed)]
        chosen.append(picked)
        left = left[~np.isin(left, picked)]
    return np.concatenate([*chosen, left]).astype(np.int64)


def diverse_batch(vectors: Floats, uncertainty: Floats, *, size: int, seed: int = 0) -> Positions:
    """Return up to `size` positions, one from each k-means cluster, the most uncertain first.

    Clusters are weighted by the uncertainty, so that their centres lie among the doubtful items; of each
    cluster the one nearest to its centre is taken. Fewer than `size` distinct items fall back to order.
    """
    from sklearn.cluster import KMeans  # on the worker: half a second that no page should pay

    if len(vectors) <= size:
        return np.argsort(-uncertainty, kind="stable")
    weight = np.maximum(uncertainty, 1e-6)
    found = KMeans(size, n_init=1, random_state=seed, max_iter=30).fit(vectors, sample_weight=weight)
    away = np.linalg.norm(vectors - found.cluster_centers_[found.labels_], axis=1)
    nearest = [
        int(members[np.argmin(away[members])])
        for members in (np.flatnonzero(found.labels_ == cluster) for cluster in range(size))
        if len(members)
    ]
    return np.asarray(sorted(nearest, key=lambda position: -uncertainty[position]), dtype=np.int64)


def _interleaved(ordered: Positions, drawn: Positions) -> Positions:
    """Merge the two in even steps; where both fall on one place the drawn item comes first."""
    places = np.concatenate([_spread(len(ordered)), _spread(len(drawn))])
    second = np.concatenate([np.ones(len(ordered)), np.zeros(len(drawn))])
    merged: Positions = np.concatenate([ordered, drawn])[np.lexsort((second, places))].astype(np.int64)
    return merged


def _spread(count: int) -> Floats:
    """Return `count` places between 0 and 1, evenly apart."""
    return (np.arange(count, dtype=np.float64) + 0.5) / max(count, 1)
