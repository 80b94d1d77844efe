"""What pruning and fewer bits cost and save: `python -m benchmarks.pruning [--agent churn] [--quick]`.

Trains each backbone once on Online Retail II as shipped, then makes smaller versions of it. Each line has
size, milliseconds for 1,000 customers and the test window's figures before and after, measured in one run.
"""

import argparse
import tempfile
from pathlib import Path
from typing import Any

from benchmarks.fine_tuning import DATA, retail_dataset, shipped_config
from benchmarks.report import report
from handoff.config import TrainingConfig
from handoff.files import read_json

CUTOFF = {"churn": "2011-06-09", "recommender": "2011-07-15"}  # development windows, not those of the others
FIGURES = {"churn": ("roc_auc", "brier", "ece"), "recommender": ("ndcg@10", "recall@20")}
CUTS: dict[str, dict[str, Any]] = {
    "bf16": {"export": "bf16"},
    "int8": {"export": "int8"},
    "half the units": {"prune_channels": 0.5},
    "half the heads": {"prune_heads": 0.5},
    "one layer": {"prune_layers": 1},
    "half of all, int8": {"prune_channels": 0.5, "prune_heads": 0.5, "prune_layers": 1, "export": "int8"},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--agent", default="churn", choices=sorted(CUTOFF))
    parser.add_argument("--backbones", nargs="+", default=["transformer", "cnn", "rnn"])
    parser.add_argument("--epochs", type=int, default=5, help="of recovery")
    parser.add_argument("--quick", action="store_true", help="transformer, three of the cuts")
    asked = parser.parse_args()
    backbones = ["transformer"] if asked.quick else asked.backbones
    cuts = dict(list(CUTS.items())[1:3] + list(CUTS.items())[-1:]) if asked.quick else CUTS
    shipped = {**shipped_config(asked.agent), "test_cutoff": CUTOFF[asked.agent]}
    with retail_dataset() as dataset, tempfile.TemporaryDirectory() as folder:
        for backbone in backbones:
            root = Path(folder) / backbone
            values = {**shipped, "backbone": backbone, "dataset": str(dataset)}
            train(root / "whole", root, values)
            for name, cut in cuts.items():
                if "prune_heads" in cut and backbone != "transformer":
                    cut = {key: value for key, value in cut.items() if key != "prune_heads"}
                if not cut:
                    continue
                start = {"start": str(root / "whole" / "artifact"), "epochs": asked.epochs}
                found = train(root / name.replace(" ", "-"), root, {**values, **cut, **start})["compression"]
                lines(asked.agent, backbone, name, found)


def train(folder: Path, root: Path, values: dict[str, Any]) -> dict[str, Any]:
    from neural.training import train as run

    TrainingConfig.from_mapping(values).write(folder)
    run(folder, root=root)
    return read_json(folder / "evaluation.json")


def lines(agent: str, backbone: str, cut: str, found: dict[str, Any]) -> None:
    before, after = found["before"], found["after"]
    for figure in ("bytes", "encoder_parameters", "ms", *FIGURES[agent]):
        old, new = ({**part, **part["metrics"]}[figure] for part in (before, after))
        report(
            figure=f"{agent} {figure}",
            value=new,
            unit="as named",
            data=DATA,
            split=f"cut-off {CUTOFF[agent]}",
            seed=0,
            model=backbone,
            cut=cut,
            before=old,
            ratio=round(new / old, 4) if old else None,
        )


if __name__ == "__main__":
    main()
