"""A chosen model before it is fitted once more: the last honest look at its validation window."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

from handoff.files import read_json, write_json
from neural.calibration import Calibration
from neural.fitting import State
from neural.tasks.base import Report

FILE = "fitted.json"


@dataclass(frozen=True)
class Fitted:
    """The state of the fitting, the calibration, and the report on the validation window."""

    state: State
    calibration: Calibration
    validation: Report

    def write(self, folder: Path) -> None:
        """Keep it in the run's folder, for a run that is killed while it is fitted once more."""
        report = self.validation
        figures = {"count": report.count, "model": report.model, "baselines": report.baselines}
        write_json(
            folder / FILE,
            {"state": asdict(self.state), "calibration": self.calibration, "validation": figures},
        )

    @classmethod
    def read(cls, folder: Path) -> Self:
        """Raises HandoffError where there is none."""
        raw = read_json(folder / FILE)
        return cls(State(**raw["state"]), raw["calibration"], Report(**raw["validation"]))
