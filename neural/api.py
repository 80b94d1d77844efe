"""A version's folder, used anywhere: no Django, no database, no queue.

    from handoff.building import build_dataset
    from neural.api import load

    version = load("churn-v3")
    answers = version.score(build_dataset("shop", events), customers=["C1", "C2"])

`python -m neural.api churn-v3 shop --out answers.parquet` does the same from a shell.
"""

import argparse
import sys
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl

from handoff.artifact import check_artifact
from handoff.config import TrainingConfig
from handoff.dataset import Dataset, shard_of
from handoff.errors import HandoffError
from handoff.files import read_json
from handoff.scores import SCORES


@dataclass(frozen=True)
class Version:
    """A fine-tuned model in its folder, whose files were found to be as they were sealed."""

    folder: Path
    config: TrainingConfig
    card: Mapping[str, Any]  # what it was trained on, its metrics and its baselines' metrics

    def score(
        self,
        dataset: Dataset | Path | str,
        as_of: datetime | str | None = None,
        customers: Collection[str] | None = None,
    ) -> pl.DataFrame:
        """Answer for customers (default: all) in the schema `handoff.scores.SCORES`, sorted by customer.

        Nothing after `as_of` (default: the dataset's last event) is read. Raises HandoffError for a
        dataset without events, or a time without a zone; a customer whom it does not know gets no row.
        """
        from neural.scoring import answers_of_shard  # loads torch

        opened = dataset if isinstance(dataset, Dataset) else Dataset.open(dataset)
        moment = _moment(opened, as_of)
        count = opened.manifest.shards
        shards = range(count) if customers is None else {shard_of(name, count) for name in customers}
        parts = [answers_of_shard(self.folder, opened, shard, moment) for shard in sorted(shards)]
        found = pl.concat([pl.DataFrame(schema=SCORES), *parts]).sort("customer")
        return found if customers is None else found.filter(pl.col("customer").is_in(sorted(customers)))


def load(folder: Path | str) -> Version:
    """Check a version's folder and return it. Raises HandoffError where a file is missing or was changed."""
    folder = Path(folder).resolve()
    check_artifact(folder, root=folder.parent)
    return Version(folder, TrainingConfig.read(folder), read_json(folder / "model_card.json"))


def _moment(dataset: Dataset, as_of: datetime | str | None) -> str:
    if as_of is None:
        if dataset.manifest.last_event is None:
            raise HandoffError(f"{dataset.folder} holds no events to score by.")
        return dataset.manifest.last_event
    moment = datetime.fromisoformat(as_of) if isinstance(as_of, str) else as_of
    if moment.tzinfo is None:
        raise HandoffError(f"as_of is {moment.isoformat()}; add its time zone, +00:00 for UTC.")
    return moment.isoformat()


def main(arguments: list[str] | None = None) -> int:
    what = "Score with a version's folder."
    parser = argparse.ArgumentParser(prog="python -m neural.api", description=what)
    parser.add_argument("version", type=Path, help="the version's folder, unpacked")
    parser.add_argument("dataset", type=Path, help="a dataset folder")
    parser.add_argument("--as-of", help="ISO time with a zone; default: the last event")
    parser.add_argument("--customer", action="append", help="may be given again; default: every customer")
    parser.add_argument("--out", type=Path, required=True, help="Parquet file, or CSV where it ends in .csv")
    asked = parser.parse_args(arguments)
    try:
        frame = load(asked.version).score(asked.dataset, asked.as_of, asked.customer)
    except (HandoffError, ValueError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    if asked.out.suffix == ".csv":
        frame.write_csv(asked.out)
    else:
        frame.write_parquet(asked.out)
    sys.stdout.write(f"{len(frame)} customers\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
