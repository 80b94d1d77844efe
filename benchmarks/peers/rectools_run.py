"""Fit RecTools' SASRec or eSASRec and write its lists: run by a Python of its own, see `sasrec`.

    python rectools_run.py FOLDER NAME EPOCHS

RecTools wants NumPy 1 on Python 3.11 and can therefore not be installed beside the project. FOLDER holds
interactions.npz (user, item, time) and asked.npy; lists.npz and seconds.json are written into it.
"""

import json
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from pytorch_lightning import Trainer, seed_everything
from rectools import Columns
from rectools.dataset import Dataset
from rectools.models import SASRecModel
from rectools.models.nn.transformers.ligr import LiGRLayers

LENGTH = 20  # of the lists
COMMON = {
    "n_blocks": 2,
    "n_heads": 2,
    "n_factors": 64,
    "session_max_len": 100,
    "dropout_rate": 0.2,
    "lr": 1e-3,
    "batch_size": 128,
    "deterministic": True,
}
MODELS = {
    "SASRec": {"loss": "softmax"},
    "eSASRec": {
        "loss": "sampled_softmax",
        "n_negatives": 256,
        "transformer_layers_type": LiGRLayers,
        "use_causal_attn": True,
    },
}


def trainer(epochs: int) -> Trainer:
    return Trainer(
        max_epochs=epochs,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )


def main(folder: Path, name: str, epochs: int) -> None:
    warnings.filterwarnings("ignore")
    torch.set_num_threads(1)
    seed_everything(0)
    rows = np.load(folder / "interactions.npz")
    frame = pd.DataFrame(
        {
            Columns.User: rows["user"],
            Columns.Item: rows["item"],
            Columns.Weight: 1.0,
            Columns.Datetime: pd.to_datetime(rows["time"], unit="s"),
        }
    )
    asked = np.load(folder / "asked.npy")
    clock = time.process_time()
    dataset = Dataset.construct(frame)
    model = SASRecModel(
        **COMMON, **MODELS[name], get_trainer_func=trainer, get_trainer_func_kwargs={"epochs": epochs}
    )
    model.fit(dataset)
    fitted = time.process_time()
    lists = {}
    for kind, new in (("overall", False), ("fresh", True)):
        found = model.recommend(
            users=asked, dataset=dataset, k=LENGTH, filter_viewed=new, on_unsupported_targets="ignore"
        )
        lists[kind] = found[[Columns.User, Columns.Item, Columns.Rank]].to_numpy(np.int64)
    np.savez(folder / "lists.npz", **lists)
    seconds = {"fit": fitted - clock, "score": time.process_time() - fitted}
    (folder / "seconds.json").write_text(json.dumps(seconds))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
