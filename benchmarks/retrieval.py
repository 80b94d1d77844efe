"""Top lists: exact by a blocked matrix product beside the bare product, and approximate beside exact.

    python -m benchmarks.retrieval [--quick]

All in one thread and in CPU time; the bare product goes through the same blocks and throws its scores away.
The vectors are made, not learnt: clumps of products, queries near the clumps.
"""

import argparse
import resource
import time
from collections.abc import Callable
from typing import Any

import torch

from benchmarks.report import report, skip
from neural.retrieval import Found, Pairs, exact_top_k
from neural.retrieval.exact import PRODUCTS, QUERIES
from neural.retrieval.index import CellIndex

WIDTH, K, PAIRS = 64, 50, 60  # of vectors, of lists, of a query
SIZES = {10_000: 2048, 100_000: 1024, 1_000_000: 256}  # products: queries
SHARES = (0.01, 0.02, 0.05, 0.1, 0.2)
REPEATS = 5
SEED = 0
DATA = "made vectors in clumps, width 64"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="10,000 products alone")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    for products, queries in SIZES.items():
        if not arguments.quick or products == min(SIZES):
            measure(products, queries)


def measure(products: int, queries: int) -> None:
    asked, catalogue = vectors(products, queries)
    pairs = some_pairs(products, queries)
    base = {"data": DATA, "seed": SEED, "products": products, "queries": queries, "k": K}
    bare, _ = timed(lambda: bare_product(asked, catalogue))
    exact_time, exact = timed(lambda: exact_top_k(asked, catalogue, K))
    report(figure="bare product", value=queries / bare, unit="customers/s", **base)
    ways: dict[str, Callable[[], Any]] = {
        "exact": lambda: exact_top_k(asked, catalogue, K),
        f"exact, {PAIRS} pairs a query": lambda: exact_top_k(asked, catalogue, K, pairs=pairs),
        f"exact, {PAIRS} pairs a query, norm": lambda: exact_top_k(
            asked, catalogue, K, pairs=pairs, normalise=True
        ),
    }
    for name, way in ways.items():
        value = bare / timed(way)[0]
        report(figure=f"{name}: customers per second", value=value, unit="of the bare product's", **base)
    allowed = torch.arange(products) % 10 == 0
    gathered, _ = timed(lambda: exact_top_k(asked, catalogue, K, allowed=allowed))
    report(figure="exact, a tenth allowed: time", value=gathered / exact_time, unit="of all's", **base)
    one, _ = timed(lambda: exact_top_k(asked[:1], catalogue, K))
    report(figure="exact, one query", value=one * 1000, unit="CPU ms", **base)
    approximate(asked, catalogue, exact, exact_time, base)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    report(figure="peak memory so far, vectors and indices included", value=peak, unit="GB", **base)


def approximate(
    asked: torch.Tensor, catalogue: torch.Tensor, exact: Found, exact_time: float, base: dict[str, Any]
) -> None:
    try:
        clock = time.process_time()
        index = CellIndex(catalogue)
    except ImportError:
        skip(figure="faiss cells", why="The extra `ann` is not installed.")
        return
    built = time.process_time() - clock
    report(figure="faiss cells: build", value=built, unit="CPU s", **base)
    for share in SHARES:
        index.look_into(share)
        seconds, found = timed(lambda: index.search(asked, K))
        one, _ = timed(lambda: index.search(asked[:1], K))
        gain = exact_time - seconds
        report(
            figure="faiss cells: recall",
            value=recall(found, exact),
            unit=f"of the exact {K}",
            share=share,
            times_faster=round(exact_time / seconds, 2),
            one_query_ms=round(one * 1000, 3),
            pays_after=round(built / gain * len(asked)) if gain > 0 else None,  # queries
            **base,
        )
    graph(asked, catalogue, exact, exact_time, base)


def graph(
    asked: torch.Tensor, catalogue: torch.Tensor, exact: Found, exact_time: float, base: dict[str, Any]
) -> None:
    """usearch's graph (HNSW), for comparison only."""
    if len(catalogue) > 100_000:
        skip(figure="usearch graph, 1,000,000 products", why="Building takes over ten minutes in one thread.")
        return
    try:
        from usearch.index import Index
    except ImportError:
        skip(figure="usearch graph", why="usearch is not installed.")
        return
    import numpy as np

    from neural.retrieval.index import lengthened

    clock = time.process_time()
    index = Index(ndim=WIDTH + 1, metric="ip", dtype="f32")
    index.add(np.arange(len(catalogue)), lengthened(catalogue).numpy(), threads=1)
    report(figure="usearch graph: build", value=time.process_time() - clock, unit="CPU s", **base)
    padded = torch.nn.functional.pad(asked, (0, 1)).numpy()
    for effort in (64, 256, 1024):
        index.expansion_search = effort
        seconds, keys = timed(lambda: index.search(padded, K, threads=1).keys)
        found = Found(torch.from_numpy(np.asarray(keys, np.int64)), exact.scores)
        report(
            figure="usearch graph: recall",
            value=recall(found, exact),
            unit=f"of the exact {K}",
            effort=effort,
            times_faster=round(exact_time / seconds, 2),
            **base,
        )


def vectors(products: int, queries: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Clumps of about 100 products, popular ones longer; queries near a mixture of three clumps."""
    noise = torch.Generator().manual_seed(SEED)
    centres = torch.randn(max(products // 100, 1), WIDTH, generator=noise)
    place = torch.randint(len(centres), (products,), generator=noise)
    catalogue = centres[place] + 0.7 * torch.randn(products, WIDTH, generator=noise)
    catalogue *= 1 + 0.2 * torch.rand(products, 1, generator=noise)
    liked = torch.randint(len(centres), (queries, 3), generator=noise)
    asked = centres[liked].mean(1) + 0.3 * torch.randn(queries, WIDTH, generator=noise)
    return asked, catalogue


def some_pairs(products: int, queries: int) -> Pairs:
    noise = torch.Generator().manual_seed(SEED)
    product = torch.randint(products, (queries, PAIRS), generator=noise).sort(dim=1).values
    cells = torch.unique(torch.arange(queries)[:, None] * products + product)
    return Pairs(cells // products, cells % products, 3 * torch.rand(len(cells), generator=noise))


def bare_product(asked: torch.Tensor, catalogue: torch.Tensor) -> None:
    room = torch.empty(QUERIES * PRODUCTS)
    for begin in range(0, len(asked), QUERIES):
        part = asked[begin : begin + QUERIES]
        for at in range(0, len(catalogue), PRODUCTS):
            block = catalogue[at : at + PRODUCTS]
            torch.mm(part, block.T, out=room[: len(part) * len(block)].view(len(part), len(block)))


def timed(action: Callable[[], Any]) -> tuple[float, Any]:
    """CPU seconds of the fastest of some repeats, and the result."""
    result, seconds = action(), []
    for _ in range(REPEATS):
        clock = time.process_time()
        result = action()
        seconds.append(time.process_time() - clock)
    return min(seconds), result


def recall(found: Found, exact: Found) -> float:
    hits = (found.products[:, :, None] == exact.products[:, None, :]).any(dim=1)
    return float(hits.float().mean())


if __name__ == "__main__":
    main()
