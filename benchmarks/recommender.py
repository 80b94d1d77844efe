"""Recommender on Online Retail II: full ranking over a 28-day window, our models beside every peer.

    python -m benchmarks.recommender [--cutoffs …] [--backbones …] [--peers …] [--seeds N] [--quick]

Asked about is every customer with a history who buys in the window. Each line is a figure with its 95 %
interval by bootstrap over customers, the same draws for every method: of all products, of those new to the
customer (`_new`), of those first sold inside the window (`_cold`: among all new ones; `_cold_only`: among
themselves), and of customers with one basket. The last lines put each backbone beside the best peer.

Settings, ours and the peers', were chosen on cut-offs before 2011-08-13.
"""

import argparse
from collections.abc import Collection, Iterator
from itertools import product
from pathlib import Path

from threadpoolctl import threadpool_limits

from benchmarks.fine_tuning import DATA, retail_dataset, shipped_config, test_world
from benchmarks.ours import METRICS, measure_ours
from benchmarks.peers.log import Log
from benchmarks.peers.recommending import PEERS, measure_peers
from benchmarks.report import report
from benchmarks.results import Figure, Result, Results, keep, read_kept
from benchmarks.split import COLD, SUFFIXES, Split
from handoff.config import BACKBONES
from neural.windows import parse_time, to_days

CUTOFFS = ("2011-09-09", "2011-10-07", "2011-11-04")
ONE_BASKET = ("ndcg@10", "recall@20", "ndcg@10_new", "recall@20_new")
COLD_METRICS = tuple(f"{name}{suffix}" for suffix in SUFFIXES for name in COLD)
TARGETS = ("ndcg@10", "ndcg@10_new")
EPOCHS = 3  # of RecTools' models: each takes some 90 CPU seconds


def main() -> None:
    arguments = parse()
    results = read_kept(arguments.keep, arguments.cutoffs) if arguments.keep else []
    known = {(each.cutoff, each.method, each.seed) for each in results}
    with retail_dataset() as dataset, threadpool_limits(1):
        for result in _measured(arguments, dataset, known):
            results.append(result)
            if arguments.keep:
                keep(result, arguments.keep)
    tell(Results(results))


def _measured(
    arguments: argparse.Namespace, dataset: Path, known: Collection[tuple[str, str, int]]
) -> Iterator[Result]:
    """What is asked for and not known yet, cut-off by cut-off, the peers first."""
    values = shipped_config("recommender")
    for cutoff in arguments.cutoffs:
        world = test_world(dataset, {**values, "test_cutoff": cutoff})
        split = Split(Log.of(world), to_days(parse_time(cutoff)))
        peers = [name for name in arguments.peers if (cutoff, name, 0) not in known]
        yield from measure_peers(split, cutoff, peers, arguments.epochs)
        for backbone, seed in product(arguments.backbones, range(arguments.seeds)):
            if (cutoff, backbone, seed) not in known:
                config = {**values, "backbone": backbone, "seed": seed}
                yield measure_ours(split, cutoff, dataset, config)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cutoffs", nargs="+", default=list(CUTOFFS), help="ISO dates")
    parser.add_argument("--backbones", nargs="*", default=list(BACKBONES), choices=BACKBONES)
    parser.add_argument("--peers", nargs="*", default=list(PEERS), choices=PEERS, metavar="NAME")
    parser.add_argument("--seeds", type=int, default=1, help="train with so many seeds")
    parser.add_argument("--epochs", type=int, default=EPOCHS, help="of RecTools' models")
    parser.add_argument("--keep", type=Path, help="folder of results: what lies there is not measured again")
    parser.add_argument("--quick", action="store_true", help="first cut-off, transformer, no neural peer")
    found = parser.parse_args()
    if found.quick:
        found.cutoffs, found.backbones = found.cutoffs[:1], ["transformer"]
        found.peers = [name for name in found.peers if "SASRec" not in name]
    return found


def tell(results: Results) -> None:
    """Print every figure, then what we are ahead of the best peer."""
    for method in results.methods:
        for split in results.splits(method):
            fit, score = results.seconds(method, split)
            shared = {"model": method, "split": split, "fit_cpu_seconds": fit, "score_cpu_seconds": score}
            if note := results.note(method):
                shared["note"] = note
            for metric in (*METRICS, *COLD_METRICS):
                _line(metric, results.figure(method, metric, split), customers="all", **shared)
            for metric in ONE_BASKET:
                figure = results.figure(method, metric, split, only="one_basket")
                _line(metric, figure, customers="with one basket", **shared)
    for method in dict.fromkeys(each.method for each in results.results if each.ours):
        for split in results.splits(method):
            for metric in TARGETS:
                _ahead(results, method, metric, split)


def _ahead(results: Results, method: str, metric: str, split: str) -> None:
    """Difference and ratio to the best peer of this figure and split, and the CPU time of both."""
    peer = results.best_peer(metric, split)
    if peer is None:
        return
    shared = {"model": method, "peer": peer, "split": split}
    _line(f"{metric} less that of the best peer", results.difference(method, peer, metric, split), **shared)
    mine, theirs = sum(results.seconds(method, split)), sum(results.seconds(peer, split))
    _line(
        f"{metric} over that of the best peer",
        results.ratio(method, peer, metric, split),
        unit="ratio",
        cpu_seconds=round(mine, 1),
        peer_cpu_seconds=round(theirs, 1),
        **shared,
    )


def _line(name: str, figure: Figure, unit: str = "share", **extra: object) -> None:
    """One figure; None where no customer of the split counts for it."""
    value, low, high = (None if each != each else each for each in (figure.value, figure.low, figure.high))
    interval = [None if each is None else round(each, 6) for each in (low, high)]
    numbers = {key: round(each, 1) if isinstance(each, float) else each for key, each in extra.items()}
    report(figure=f"recommender {name}", value=value, unit=unit, data=DATA, interval=interval, **numbers)


if __name__ == "__main__":
    main()
