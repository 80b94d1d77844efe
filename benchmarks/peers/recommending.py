"""Every peer of the recommender by its name, measured on one split."""

import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial

from benchmarks.peers import rankers, sasrec
from benchmarks.peers.reranker import Reranker
from benchmarks.report import skip
from benchmarks.results import Result
from benchmarks.split import Scorer, Split
from neural.evaluation.recommending import Ranked

SIMPLE: dict[str, Callable[..., Scorer]] = {
    "popularity, 28 days": rankers.popularity,
    "personal top, decay 180": rankers.personal_top,
    # The best of a dozen settings on 2011-06-17 and 2011-07-15; the re-ranker reads the published one.
    "TIFU-KNN": partial(rankers.tifu_knn, group=1, within=1.0, between=0.85),
    "UP-CF@r": rankers.up_cf,
    "ItemKNN BM25, decay 90": rankers.item_knn,
    "EASE, decay 90": rankers.ease,
    "implicit ALS 128": rankers.als,
    "names (TF-IDF)": rankers.content,
}
RERANKER, ONE_MODEL = "LightGBM re-ranker", "LightGBM re-ranker, one model"
PEERS = (*SIMPLE, *sasrec.NAMES, RERANKER)
NAMES_COLD = "names (TF-IDF)"  # the one peer that can score what was never sold


def measure_peers(split: Split, cutoff: str, names: Sequence[str], epochs: int) -> Iterator[Result]:
    """Fit each peer on what lies before the cut-off and let it rank for everyone; say why one is left out."""
    for name in names:
        try:
            yield from _measure(split, cutoff, name, epochs)
        except ImportError as error:
            skip(figure=f"recommender: {name}", why=f"{error.name or error} is not installed.")


def _measure(split: Split, cutoff: str, name: str, epochs: int) -> Iterator[Result]:
    clock = time.process_time()
    if name in sasrec.NAMES:
        lists, fit, score = sasrec.recommend(split.log, split.moment, split.everyone, name, epochs)
        yield _result(split, cutoff, name, lists, fit, score, note=f"{epochs} epochs")
        return
    model = (Reranker if name == RERANKER else SIMPLE[name])(split.log, split.moment)
    fitted = time.process_time()
    lists = split.lists(model, split.everyone)
    fit, score = fitted - clock, time.process_time() - fitted
    result = _result(split, cutoff, name, lists, fit, score)
    if name == NAMES_COLD:
        result.values.update(split.cold_values(model))
    yield result
    if isinstance(model, Reranker):
        lists = split.lists(model.single, split.everyone)
        yield _result(split, cutoff, ONE_MODEL, lists, fit, score)


def _result(
    split: Split, cutoff: str, name: str, lists: Ranked, fit: float, score: float, note: str = ""
) -> Result:
    values = split.values(split.of_everyone(lists))
    nothing = split.cold_zeros()
    return Result(
        name,
        cutoff,
        tuple(split.log.names[number] for number in split.customers),
        {**values, **nothing, "one_basket": split.one_basket.astype(float)},
        fit,
        score,
        note=note,
    )
