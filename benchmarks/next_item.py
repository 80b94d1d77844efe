"""Next item, leave-one-out, full ranking, on a file of lines `user item [time]`.

    python -m benchmarks.next_item FILE [--backbones …] [--peers …] [epochs=20 width=64 …]
    python -m benchmarks.next_item --retail

Two classic protocols: with the validation item (the last but one) in the history of the test, and with it
left out. `all` ranks every item known before; `_new` those the user had not touched. `--retail` makes a
file of Online Retail II, one product drawn from each invoice. Trained by the product's own command, with the
recommender's shipped settings but for those named.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from threadpoolctl import threadpool_limits

from benchmarks.fine_tuning import shipped_config, test_world
from benchmarks.ours import run_command
from benchmarks.peers import rankers
from benchmarks.peers.log import FOREVER, Log
from benchmarks.report import report, skip
from benchmarks.retail import read_rows
from benchmarks.sequences import FEWEST, LAST, UnreadableFile, read_sequences, write_sequences
from benchmarks.settings import changes
from benchmarks.split import Scorer, Split
from handoff.config import BACKBONES, TrainingConfig
from handoff.files import read_json
from neural.windows import parse_time, to_days

CUTOFF = LAST.date().isoformat()
FIGURES = ("ndcg@10", "hit@10", "ndcg@10_new", "hit@10_new")
MOST_ITEMS = 15_000  # that EASE is tried with: its matrices take 16 bytes for each pair of items
KEPT, LEFT_OUT = "validation item in the history", "validation item left out"

PEERS: dict[str, Callable[[Log, float], Scorer]] = {
    "popularity": lambda log, moment: rankers.popularity(log, moment, 1e6),
    "ItemKNN BM25": lambda log, moment: rankers.item_knn(log, moment, FOREVER),
    "EASE": lambda log, moment: rankers.ease(log, moment, FOREVER),
    "implicit ALS 128": lambda log, moment: rankers.als(log, moment, decay=FOREVER),
}


def main() -> None:
    arguments = parse()
    try:
        rows = retail_rows() if arguments.retail else read_sequences(arguments.file)
    except (UnreadableFile, OSError) as error:
        sys.exit(str(error))
    data = RETAIL if arguments.retail else arguments.file.name
    values = {
        **shipped_config("recommender"),
        "horizon_days": 1,
        "test_cutoff": CUTOFF,
        "baselines": [],
        **changes(",".join(arguments.settings)),
    }
    with tempfile.TemporaryDirectory() as text, threadpool_limits(1):
        folders = {KEPT: Path(text) / "kept", LEFT_OUT: Path(text) / "left_out"}
        for protocol, folder in folders.items():
            write_sequences(folder, rows, skip_validation=protocol == LEFT_OUT)
            for name, found, seconds in measure_peers(folder, values, arguments.peers):
                _tell(found, data, model=name, protocol=protocol, cpu_seconds=round(seconds, 1))
        for backbone in arguments.backbones:
            measure_ours(folders, {**values, "backbone": backbone}, data)


RETAIL = "Online Retail II (UCI 502): one product drawn from each invoice, a customer's invoices in order"


def retail_rows() -> pl.DataFrame:
    """A sequence from a file of baskets: the order inside an invoice means nothing, so one product each."""
    rows = read_rows().filter(pl.col("quantity") > 0)
    lines = rows.group_by("customer", "basket", maintain_order=True).agg(
        pl.col("at").min(), pl.col("product").unique(maintain_order=True)
    )
    rng = np.random.default_rng(0)
    drawn = [products[int(rng.integers(len(products)))] for products in lines["product"]]
    frame = lines.select(pl.col("customer").alias("user"), pl.Series("item", drawn), "at")
    return frame.sort("at", maintain_order=True).drop("at").filter(pl.len().over("user") >= FEWEST)


def measure_peers(
    folder: Path, values: dict[str, Any], names: list[str]
) -> Iterator[tuple[str, dict[str, float], float]]:
    """Yield each peer's name, figures and CPU seconds of fitting and of scoring the users."""
    log = Log.of(test_world(folder, values))
    split = Split(log, to_days(parse_time(CUTOFF)), horizon=1.0)
    for name in names:
        if name == "EASE" and log.products > MOST_ITEMS:
            skip(figure="next item: EASE", why=f"{log.products} items: its matrix would not fit into memory.")
            continue
        clock = time.process_time()
        try:
            lists = split.lists(PEERS[name](log, split.moment))
        except ImportError as error:
            skip(figure=f"next item: {name}", why=f"{error.name} is not installed.")
            continue
        found = {key: float(np.nanmean(each)) for key, each in split.values(lists).items() if key in FIGURES}
        yield name, found, time.process_time() - clock


def measure_ours(folders: dict[str, Path], values: dict[str, Any], data: str) -> None:
    """Train once with the validation item, then measure the same model with and without it."""
    with tempfile.TemporaryDirectory() as text:
        run = Path(text)
        TrainingConfig.from_mapping({**values, "dataset": str(folders[KEPT])}).write(run)
        seconds = run_command("train", run)
        out = run / "left-out.json"
        run_command("evaluate", run / "artifact", folders[LEFT_OUT], "--root", run, "--out", out)
        records = {KEPT: read_json(run / "evaluation.json"), LEFT_OUT: read_json(out)}
        for protocol, record in records.items():
            _tell(
                record["metrics"]["model"],
                data,
                model=values["backbone"],
                protocol=protocol,
                cpu_seconds=round(seconds, 1),
                seed=values.get("seed", 0),
                settings={name: values[name] for name in ("epochs", "width", "layers") if name in values},
            )


def _tell(found: dict[str, float], data: str, **extra: Any) -> None:
    for name in FIGURES:
        report(figure=f"next item {name}", value=found[name], unit="share", data=data, **extra)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("file", nargs="?", type=Path, help="lines `user item [time]`")
    parser.add_argument("settings", nargs="*", help="name=value of the training")
    parser.add_argument("--retail", action="store_true", help="instead of a file")
    parser.add_argument("--backbones", nargs="*", default=["transformer"], choices=BACKBONES)
    parser.add_argument("--peers", nargs="*", default=list(PEERS), choices=PEERS, metavar="NAME")
    found = parser.parse_args()
    if found.retail and found.file is not None:
        found.settings = [str(found.file), *found.settings]  # no file is asked for
    elif not found.retail and found.file is None:
        parser.error("name a file, or --retail")
    return found


if __name__ == "__main__":
    main()
