"""Seconds of one epoch of RecTools' SASRec: run by a Python of its own, see `benchmarks.throughput`.

    python rectools_speed.py FOLDER

FOLDER holds interactions.npz (user, item, time) and shape.json; seconds.json is written into it.
"""

import json
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from pytorch_lightning import Callback, Trainer, seed_everything
from rectools import Columns
from rectools.dataset import Dataset
from rectools.models import SASRecModel

SECONDS: list[float] = []  # of CPU, of each epoch; here, as RecTools copies its trainer with all callbacks


class Clock(Callback):
    """Times every epoch of training."""

    begin = 0.0

    def on_train_epoch_start(self, *_: object) -> None:
        self.begin = time.process_time()

    def on_train_epoch_end(self, *_: object) -> None:
        SECONDS.append(time.process_time() - self.begin)


def main(folder: Path) -> None:
    warnings.filterwarnings("ignore")
    torch.set_num_threads(1)
    seed_everything(0)
    rows, shape = np.load(folder / "interactions.npz"), json.loads((folder / "shape.json").read_text())
    frame = pd.DataFrame(
        {
            Columns.User: rows["user"],
            Columns.Item: rows["item"],
            Columns.Weight: 1.0,
            Columns.Datetime: pd.to_datetime(rows["time"], unit="s"),
        }
    )

    def trainer() -> Trainer:
        return Trainer(
            max_epochs=shape["epochs"],
            accelerator="cpu",
            logger=False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            callbacks=[Clock()],
        )

    model = SASRecModel(
        n_blocks=shape["layers"],
        n_heads=shape["heads"],
        n_factors=shape["width"],
        session_max_len=shape["length"],
        batch_size=shape["batch"],
        dropout_rate=0.2,
        lr=1e-3,
        loss="softmax",
        get_trainer_func=trainer,
    )
    model.fit(Dataset.construct(frame))
    (folder / "seconds.json").write_text(json.dumps(SECONDS))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
