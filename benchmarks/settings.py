"""What a setting is worth on Online Retail II, by trials that end with the validation window.

    python -m benchmarks.settings churn class_weight=balanced augment_mask=0.1,augment_drop=0.1

The first lines are of the recipe as it is shipped; then follow those of every setting, or of several
joined by commas. The test window is not read.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.fine_tuning import DATA, retail_dataset, shipped_config
from benchmarks.report import report
from handoff.config import TrainingConfig
from handoff.files import read_json

CUTOFF = "2011-09-09"  # the validation window ends here


def changes(text: str) -> dict[str, Any]:
    """Read "name=value,name=value"; values are JSON or plain words."""
    found = {}
    for pair in filter(None, text.split(",")):
        name, _, value = pair.partition("=")
        try:
            found[name] = json.loads(value)
        except json.JSONDecodeError:
            found[name] = value
    return found


def attempt(dataset: Path, values: Mapping[str, Any]) -> dict[str, Any]:
    """Do one trial in a process of its own and return its report, with the seconds that it took in all."""
    with tempfile.TemporaryDirectory() as folder:
        TrainingConfig.from_mapping({**values, "dataset": str(dataset)}).write(Path(folder))
        clock = time.monotonic()
        subprocess.run([sys.executable, "-m", "neural", "try", folder], check=True)
        found: dict[str, Any] = read_json(Path(folder) / "report.json")
        return {**found, "wall_seconds": round(time.monotonic() - clock, 1)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("agent")
    parser.add_argument("settings", nargs="*", help="name=value[,name=value…]")
    parser.add_argument("--seeds", type=int, default=2)
    arguments = parser.parse_args()
    shipped = shipped_config(arguments.agent)
    with retail_dataset() as dataset:
        for setting in ("", *arguments.settings):
            for seed in range(arguments.seeds):
                values = {**shipped, "test_cutoff": CUTOFF, **changes(setting), "seed": seed}
                found = attempt(dataset, values)
                report(
                    figure=f"{arguments.agent} {found['metric']}",
                    value=found["value"],
                    unit="on the validation window",
                    setting=setting or "as shipped",
                    seed=seed,
                    data=DATA,
                    validation=found["validation"],
                    epoch=found["epoch"],
                    epochs=found["epochs"],
                    parameters=found["parameters"],
                    wall_seconds=found["wall_seconds"],
                )


if __name__ == "__main__":
    main()
