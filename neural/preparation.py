"""The beginning that `train`, `try` and `range` share: read the configuration, check the data, prepare."""

import json
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch

from handoff.config import TrainingConfig
from handoff.dataset import Dataset
from handoff.errors import HandoffError
from handoff.files import read_json, write_json
from handoff.progress import ProgressWriter
from neural.courses import Course, open_course
from neural.fitting import Fitter
from neural.runs import StopFlag

# Settings that may change between two attempts at one run: no weight depends on them.
FREE = ("device", "threads", "top_k")


@dataclass
class Laps:
    """Processor seconds of each part of a run."""

    seconds: dict[str, float] = field(default_factory=dict)
    _since: float = field(default_factory=time.process_time)

    def end(self, name: str) -> None:
        now = time.process_time()
        self.seconds[name], self._since = round(now - self._since, 2), now


@dataclass(frozen=True)
class Prepared:
    config: TrainingConfig
    dataset: Dataset
    course: Course
    fitter: Fitter
    laps: Laps


def prepare(
    folder: Path,
    progress: ProgressWriter,
    stop: StopFlag,
    *,
    test: bool,
    root: Path | None,
    checkpoint_seconds: float = 20.0,
) -> Prepared:
    """Make everything ready for fitting; without `test`, from what lies before the test window alone.

    Raises NotEnoughData, and HandoffError for bad input.
    """
    config, laps = TrainingConfig.read(folder), Laps()
    _same_run(folder, config)
    progress.write("preparing", 0, 1)
    torch.set_num_threads(config.threads)
    dataset = Dataset.open(config.dataset)
    dataset.verify()
    stop.check()
    course = open_course(config, dataset, test=test, root=root)
    progress.write("preparing", 1, 1)
    laps.end("preparing")
    return Prepared(config, dataset, course, Fitter(config, folder, progress, stop, checkpoint_seconds), laps)


def _same_run(folder: Path, config: TrainingConfig) -> None:
    """Refuse to go on from checkpoints of another configuration."""
    marker = folder / "checkpoints" / "config.json"
    wanted = {name: value for name, value in asdict(config).items() if name not in FREE}
    if not marker.is_file():
        marker.parent.mkdir(exist_ok=True)
        write_json(marker, wanted)
        return
    written = read_json(marker)
    for name, value in json.loads(json.dumps(wanted)).items():
        if name in written and written[name] != value:  # a setting newer than the run has its default
            raise HandoffError(
                f"{folder} was begun with {name} = {written[name]!r}, config.json now says {value!r}. "
                "Start a new run folder, or remove its checkpoints."
            )
