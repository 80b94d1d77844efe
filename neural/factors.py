"""A classical start for the products' vectors: the factors of who bought what."""

import numpy as np
import numpy.typing as npt
from sklearn.utils.extmath import randomized_svd

from neural.data.similarity import bm25, own_counts
from neural.data.world import World

SPREAD = 0.05  # standard deviation of the vectors' entries
HALF = 365.0  # days


def purchase_factors(world: World, cutoff: float) -> npt.NDArray[np.float32]:
    """Right singular vectors of the BM25-weighted purchases before `cutoff`. (known products, width)

    Products that the same customers bought lie close together from the first step on. Seeded.
    """
    known, width = world.vocabulary.known, world.config.width
    noise = np.random.default_rng(world.config.seed).normal(0, SPREAD / 4, (known, width))
    counts = bm25(own_counts(world, world.with_history(cutoff), HALF)[:, :known])
    rank = min(width, *counts.shape) if counts.nnz else 0
    if rank:
        _, strength, right = randomized_svd(counts, rank, n_iter=3, random_state=world.config.seed)
        factors = right.T * np.sqrt(strength)
        noise[:, :rank] += factors * (SPREAD / max(float(factors.std()), 1e-9))
    return noise.astype(np.float32)
