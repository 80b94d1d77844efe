"""`predictions.parquet`: what a model and its baselines said of every example of the test window.

One row an example; it names customers, so it lies beside the artifact and never in it.

customer      whom it is about
at            the moment that it speaks from, UTC
key           of the example among others of the same customer and moment; absent where there is one each

A task that says yes or no (churn):

label                  whether it happened
probability            the model's
BASELINE.probability   the same of a baseline
BASELINE.rank          what the baseline ranks by, where that is not its probability
BASELINE.warned        whom it would warn of, where that is not a probability of THRESHOLD or more

Any other task (recommendations, …): metrics whose mean over the rows is the window's metric, null where the
row does not count:

ndcg@10, recall@20_new, …    the model's
BASELINE.ndcg@10, …          the same of a baseline
truth, truth_new             how many products the customer bought, and of them how many for the first time

Both: what slices are cut by, as it was known at `at`:

slice.tenure_days, slice.recency_days, slice.purchases, slice.spend    numbers
slice.NAME                                                             an attribute of the customer, text
"""

from collections.abc import Iterable
from io import BytesIO
from pathlib import Path

import numpy as np
import polars as pl

from handoff.errors import HandoffError
from handoff.files import write_bytes
from handoff.measures import Averages, Binary, Measure

PREDICTIONS = "predictions.parquet"
THRESHOLD = 0.5  # from which probability on a customer is warned of
FACTS = ("customer", "at", "key", "label", "truth", "truth_new")
SLICE = "slice."
PARTS = ("probability", "rank", "warned")


def write_predictions(folder: Path, frame: pl.DataFrame) -> None:
    """Write the file into a run folder in one step, sorted by example."""
    buffer = BytesIO()
    frame.sort(example_keys(frame)).write_parquet(buffer, compression="zstd")
    write_bytes(folder / PREDICTIONS, buffer.getvalue())


def read_predictions(path: Path) -> pl.DataFrame:
    """Read the file. Raises HandoffError where it is missing or is no such file."""
    try:
        frame = pl.read_parquet(path)
    except FileNotFoundError as error:
        raise HandoffError(f"{path} does not exist: no predictions were kept.") from error
    except (pl.exceptions.PolarsError, OSError) as error:
        raise HandoffError(f"{path} cannot be read ({error}).") from error
    missing = [name for name in ("customer", "at") if name not in frame.columns]
    if missing:
        raise HandoffError(f"{path} has no column {' and '.join(missing)}.")
    return frame


def example_keys(frame: pl.DataFrame) -> list[str]:
    """Return the columns that name an example."""
    return [name for name in ("customer", "at", "key") if name in frame.columns]


def slice_names(frame: pl.DataFrame) -> list[str]:
    """Return what the examples can be sliced by, without the prefix."""
    return [name.removeprefix(SLICE) for name in frame.columns if name.startswith(SLICE)]


def methods(frame: pl.DataFrame) -> list[str]:
    """Return "model" and the baselines that the file has columns of, in their order."""
    own = (name for name in frame.columns if name not in FACTS and not name.startswith(SLICE))
    return list(dict.fromkeys(["model", *(name.partition(".")[0] for name in own if "." in name)]))


def measure(frame: pl.DataFrame, method: str = "model", names: Iterable[str] | None = None) -> Measure:
    """Return what computes the metrics of one method, `names` or all, under weights of the rows.

    Raises HandoffError where the file has nothing of the method.
    """
    prefix = "" if method == "model" else f"{method}."
    found = Binary.named(names) if "label" in frame.columns else None
    try:
        if found is not None:
            return _binary(frame, prefix, found)
        return _averages(frame, prefix, names)
    except pl.exceptions.ColumnNotFoundError as error:
        raise HandoffError(f"The predictions have no column {error} of {method!r}.") from error


def _binary(frame: pl.DataFrame, prefix: str, names: tuple[str, ...]) -> Binary:
    probability = frame[f"{prefix}probability"].to_numpy()
    rank, warned = (f"{prefix}{part}" for part in PARTS[1:])
    return Binary(
        frame["label"].to_numpy(),
        probability,
        frame[rank].to_numpy() if rank in frame.columns else probability,
        frame[warned].to_numpy() if warned in frame.columns else probability >= THRESHOLD,
        names,
    )


def _averages(frame: pl.DataFrame, prefix: str, names: Iterable[str] | None) -> Averages:
    columns = [name for name in frame.columns if name not in FACTS and not name.startswith(SLICE)]
    if prefix:
        own = [name.removeprefix(prefix) for name in columns if name.startswith(prefix)]
    else:
        own = [name for name in columns if "." not in name]
    wanted = own if names is None else list(names)
    values = [frame[f"{prefix}{name}"].cast(pl.Float64).fill_null(np.nan).to_numpy() for name in wanted]
    return Averages(np.column_stack(values) if values else np.zeros((len(frame), 0)), tuple(wanted))
